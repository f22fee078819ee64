"""GraphQL over HTTP, by the audits that the specification's own working group publishes (npm: graphql-http)."""

from collections.abc import Callable

import pytest

from tests.node import Packages
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


def test_every_audit_is_ok(front_ends: Packages, service: Service, record_property: Callable[[str, object], None]):
    done = front_ends.run("audit.mjs", GRAPHQL_URL=f"{service.url}/graphql", API_KEY=service.key("audits"))
    assert done.returncode == 0, done.stderr
    summary = done.stdout.partition("\n")[0]
    record_property("summary", f"GraphQL over HTTP: {summary}")
    assert summary == "61 audits: 61 ok, 0 notice, 0 warn, 0 error", done.stdout
