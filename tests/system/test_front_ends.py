"""What front-end teams use accepts the schema and pages through clients: Relay, Code Generator, Apollo, urql."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.node import FRONT_ENDS, Packages
from tests.service import Service

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "openapi" / "schema.graphql"
AS_OF = "2026-06-01"
CLIENTS = 25

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]


@pytest.fixture
def project(front_ends: Packages, tmp_path: Path) -> Path:
    """A project of a front-end team, with the schema as we publish it."""
    (tmp_path / "node_modules").symlink_to(front_ends.folder / "node_modules")
    for name in ("relay", "codegen"):
        shutil.copytree(FRONT_ENDS / name, tmp_path / name)
        shutil.copy(SCHEMA, tmp_path / name)
    return tmp_path


def test_relay_compiles_a_connection_and_refetchable_fragments(front_ends: Packages, project: Path):
    done = front_ends.run("relay-compiler", "relay.config.json", cwd=project / "relay")
    assert done.returncode == 0, done.stdout + done.stderr
    made = {file.name.partition(".")[0] for file in project.glob("relay/source/__generated__/*")}
    assert made == {
        "ClientListQuery",
        "ClientList_query",
        "ClientListPaginationQuery",
        "ClientList_client",
        "ClientListRowQuery",
    }


def test_generated_types_are_sound(front_ends: Packages, project: Path):
    folder = project / "codegen"
    done = front_ends.run("graphql-codegen", "--config", "codegen.json", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    done = front_ends.run("tsc", "--project", ".", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    """A key of a tenant with more clients than fit on a page, some of them with the same score."""
    key = service.key("front-ends")
    events = [
        cloud_event(f"{number}", "client.created", f"client-{number}", data={"name": f"Client {number}"})
        for number in range(CLIENTS)
    ]
    events += [
        cloud_event(f"refused-{number}", "contract.declined", f"client-{number}") for number in range(0, CLIENTS, 3)
    ]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": BATCH}
    httpx.post(f"{service.url}/v1/events", content=as_json(events), headers=headers).raise_for_status()
    return key


@pytest.mark.parametrize("library", ["apollo", "urql"])
def test_pages_hold_each_client_once_in_the_order_of_rest(
    library: str, front_ends: Packages, service: Service, key: str
):
    headers = {"Authorization": f"Bearer {key}"}
    listed = httpx.get(f"{service.url}/v1/clients?limit=200&as_of={AS_OF}", headers=headers).raise_for_status().json()
    done = front_ends.run(
        f"{library}.mjs", GRAPHQL_URL=f"{service.url}/graphql", API_KEY=key, AS_OF=AS_OF, SCHEMA=str(SCHEMA)
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["clients"]) == CLIENTS
    assert found == {"clients": [one["client_id"] for one in listed["items"]], "total": CLIENTS, "requests": 7}
