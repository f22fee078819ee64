"""Schemathesis reads the OpenAPI document and the GraphQL schema, and tries to break the running server by them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fuzzing.runs import FUZZED, GRAPHQL, REST, Target, run
from tests.fuzzing.world import World, made
from tests.service import Service, running

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]

SECONDS = {REST: 60, GRAPHQL: 30}


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[Service, World]]:
    with running(**FUZZED) as service:
        yield service, made(service)


@pytest.mark.timeout(420)
@pytest.mark.parametrize("target", [REST, GRAPHQL], ids=lambda target: target.name)
def test_the_server_keeps_what_its_schemas_promise(
    target: Target, fuzzed: tuple[Service, World], tmp_path: Path, record_property: Callable[[str, object], None]
):
    # The same cases every time, as far as the time goes: a red CI means a broken change, not a lucky draw.
    options = [f"--max-time={SECONDS[target]}", "--max-examples=5", "--generation-deterministic"]
    outcome = run(target, *fuzzed, tmp_path, *options, limit=400)
    record_property("summary", outcome.line)
    assert outcome.ok, outcome.output[-6000:]
    ended = {name: outcome.report["phases"][name]["status"] for name in target.phases}
    assert ended == dict.fromkeys(target.phases, "success")
