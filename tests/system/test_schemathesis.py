"""Schemathesis reads the OpenAPI document and the GraphQL schema, and tries to break the running server by them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzzing.runs import GRAPHQL, REST, Target, run
from tests.fuzzing.world import World, made
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]


@pytest.fixture(scope="module")
def world(service: Service) -> World:
    return made(service)


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("target", "examples"), [(REST, 5), (GRAPHQL, 5)], ids=["rest", "graphql"])
def test_the_server_keeps_what_its_schemas_promise(
    target: Target,
    examples: int,
    service: Service,
    world: World,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    # The same cases every time: a red CI means a broken change, not a lucky draw.
    options = [f"--max-examples={examples}", "--generation-deterministic"]
    outcome = run(target, service, world, tmp_path, options, 400)
    record_property("summary", outcome.line)
    assert outcome.ok, outcome.output[-6000:]
    assert {name: phase["status"] for name, phase in outcome.report["phases"].items() if name in target.phases} == {
        name: "success" for name in target.phases
    }
