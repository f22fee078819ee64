"""Portfolio metrics over GraphQL: the same numbers by the same names as over REST."""

from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from app.use_cases.portfolio_metrics import PortfolioMetrics
from tests.cloud_events import BATCH, EVERY_TYPE, as_json, cloud_event
from tests.graphql.conftest import Caller

EVERYTHING = """{ portfolioMetrics {
  clients byVerdict { verdict clients } byClientType { clientType clients }
  score { sum mean change steps { upTo clients } }
  strain { sign decibans mean leads } withoutSign
  moneyAtRisk { amount currency } costOfStaying { amount currency }
  changes { days since improved worsened moves { before after clients } }
  top(first: 5) { clientId name score change verdict clientType leadingSign strain { sign decibans }
    moneyAtRisk { amount currency } costOfStaying { amount currency } }
  stale staleSince changedAt policyVersion
} }"""


@pytest.fixture
async def filled(caller: Caller, tenant: str) -> httpx.AsyncClient:
    api = await caller(tenant)
    events = [cloud_event(f"{who}-{kind}", kind, who) for who in ("a", "b") for kind in EVERY_TYPE]
    answer = await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events)
    return api


def as_rest(found: Any, name: str = "") -> Any:
    """With the names and the enums of REST."""
    if isinstance(found, dict):
        return {
            "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key): as_rest(value, key)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [as_rest(one, name) for one in found]
    if isinstance(found, str) and name in {"verdict", "before", "after", "sign", "leadingSign"}:
        return found.lower()
    return found


async def ask(api: httpx.AsyncClient, query: str) -> Any:
    return (await api.post("/graphql", json={"query": query})).json()


async def test_the_numbers_and_names_are_those_of_rest(filled: httpx.AsyncClient):
    rest = (await filled.get("/v1/metrics?top=5")).json()
    found = await ask(filled, EVERYTHING)
    assert "errors" not in found, found
    assert as_rest(found["data"]["portfolioMetrics"]) == rest


async def test_names_take_the_scope_of_reading(filled: httpx.AsyncClient, caller: Caller, tenant: str):
    await filled.put("/v1/clients/a", json={"name": "Acme"})
    query = "{ portfolioMetrics { clients top(first: 10, names: true) { clientId name } } }"
    found = (await ask(filled, query))["data"]["portfolioMetrics"]
    assert {one["clientId"]: one["name"] for one in found["top"]}["a"] == "Acme"
    plain = await caller(tenant, Scope.METRICS)
    (error,) = (await ask(plain, query))["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["portfolioMetrics", "top"])
    assert "errors" not in await ask(plain, query.replace(", names: true", ""))


async def test_as_many_as_a_page_holds(filled: httpx.AsyncClient):
    for wrong in (-1, 101):
        (error,) = (await ask(filled, f"{{ portfolioMetrics {{ top(first: {wrong}) {{ clientId }} }} }}"))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("BAD_USER_INPUT", "first")
    found = await ask(filled, "{ portfolioMetrics { top { clientId } none: top(first: 0) { clientId } } }")
    assert len(found["data"]["portfolioMetrics"]["top"]) == 2
    assert found["data"]["portfolioMetrics"]["none"] == []


async def test_what_is_asked_for_once_is_read_once(filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    read, shown = [], PortfolioMetrics.shown

    async def counted(self: PortfolioMetrics, *what: Any, **named: Any) -> Any:
        read.append(what)
        return await shown(self, *what, **named)

    monkeypatch.setattr(PortfolioMetrics, "shown", counted)
    await ask(filled, EVERYTHING)
    assert len(read) <= 2
