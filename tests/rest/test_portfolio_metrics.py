"""Portfolio metrics over HTTP: the numbers of the lists, for panels and for Prometheus, and cheap to ask for again."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.core.signs import SIGNS
from app.core.verdict import Verdict
from app.ports.tenants import Scope
from app.stories import STORIES, events_of, monday_of
from app.use_cases.portfolio_metrics import CLIENT_TYPES
from app.wire.portfolio_metrics import SERIES
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.conftest import Caller
from tests.rest.test_bad_input import check

DOCUMENT = Path(__file__).parents[2] / "docs" / "portfolio-metrics.md"
OPEN_METRICS = "application/openmetrics-text"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""
ODD = 'a"b\\c\\nd é 漢 😀 {x="1"} #'
"""A client id: whatever is in it, it is a label and nothing else."""


async def tell(api: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    answer = await api.post("/v1/events", content=as_json(list(events)), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events), answer.text


@pytest.fixture
async def filled(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The stories, as far as they go, and one who owes in another currency."""
    for story in STORIES:
        events = [json.loads(one) for one in events_of(story, monday_of(datetime.now(UTC).date()))]
        answer = await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
        assert answer.json()["accepted"] == len(events)
    owed = {"invoice": "X", "amount": "99.50", "currency": "JPY", "due_date": "2026-01-31"}
    await tell(api, cloud_event("x", "invoice.issued", "owes", data=owed, time="2026-01-01T00:00:00Z"))
    return api


def families(text: str, media: str) -> dict[str, Metric]:
    read = read_open_metrics if media == OPEN_METRICS else read_text
    return {one.name: one for one in read(text)}


def samples(found: dict[str, Metric], name: str) -> dict[tuple[str, ...], float]:
    """By the values of its labels, in the order of their names."""
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in found.values()
        for sample in family.samples
        if sample.name == name
    }


# ------------------------------------------------------------------------------------------------------------- numbers


async def test_the_numbers_are_those_of_the_list(filled: httpx.AsyncClient):
    listed = (await filled.get("/v1/clients?limit=200")).json()["items"]
    found = (await filled.get("/v1/metrics?top=100")).raise_for_status().json()
    assert found["clients"] == len(listed) == len(STORIES) + 1
    verdicts = Counter(one["score"]["verdict"] for one in listed)
    assert {one["verdict"]: one["clients"] for one in found["by_verdict"]} == {one: verdicts[one] for one in Verdict}
    scores = [one["score"]["score"] for one in listed]
    assert found["score"]["sum"] == pytest.approx(sum(scores), abs=1e-4)
    assert found["score"]["mean"] == pytest.approx(sum(scores) / len(scores), abs=1e-4)
    begins = 0
    for step in found["score"]["steps"]:
        expected = sum(begins < score <= step["up_to"] or score == begins == 0 for score in scores)
        assert step["clients"] == expected, step
        begins = step["up_to"]
    assert begins == 100
    assert [one["client_id"] for one in found["top"]] == [one["client_id"] for one in listed]
    assert {one["name"] for one in found["top"]} == {None}
    assert (found["stale"], found["stale_since"]) == (0, None)
    assert found["changed_at"] is not None
    assert found["policy_version"] == "default-1"


async def test_signs_types_and_money_are_those_of_the_explanations(filled: httpx.AsyncClient):
    found = (await filled.get("/v1/metrics?top=100")).json()
    explained = {}
    for one in found["top"]:
        explained[one["client_id"]] = (await filled.get(f"/v1/clients/{one['client_id']}/explanation")).json()
    assert [one["sign"] for one in found["strain"]] == [sign.name for sign in SIGNS]
    for place, strain in enumerate(found["strain"]):
        decibans = [one["signs"][place]["decibans"] for one in explained.values()]
        assert strain["decibans"] == pytest.approx(sum(decibans), abs=1e-4)
        assert strain["mean"] == pytest.approx(sum(decibans) / len(decibans), abs=1e-4)
        assert strain["leads"] == sum(one["leading_sign"] == strain["sign"] for one in found["top"])
    assert sum(one["leads"] for one in found["strain"]) + found["without_sign"] == found["clients"]
    types = Counter(one["client_type"]["name"] for one in explained.values())
    assert {one["client_type"]: one["clients"] for one in found["by_client_type"]} == {
        name: types[name] for name in CLIENT_TYPES
    }
    costs = [float(one["cost_of_staying"]["per_month"]) for one in explained.values()]
    (cost,) = found["cost_of_staying"]
    assert cost["currency"] == "USD"
    assert float(cost["amount"]) == pytest.approx(sum(costs))
    for one in found["top"]:
        why = explained[one["client_id"]]
        assert one["verdict"] == why["verdict"]
        assert one["score"] == pytest.approx(why["score"], abs=1e-6)
        assert one["change"] == pytest.approx(why["trend"][0]["change"], abs=1e-5)
        assert [part["sign"] for part in one["strain"]] == [part["sign"] for part in why["signs"]]
        assert one["cost_of_staying"] == [{"amount": why["cost_of_staying"]["per_month"], "currency": "USD"}]
    at_risk = {one["currency"]: one["amount"] for one in found["money_at_risk"]}
    assert at_risk["JPY"] == "99.50"
    assert float(at_risk["USD"]) > 0
    (owes,) = [one for one in found["top"] if one["client_id"] == "owes"]
    assert owes["money_at_risk"] == [{"amount": "99.50", "currency": "JPY"}]


async def test_without_clients_all_is_there_and_nothing(api: httpx.AsyncClient):
    found = (await api.get("/v1/metrics")).json()
    assert (found["clients"], found["score"]["mean"], found["changed_at"], found["top"]) == (0, None, None, [])
    assert len(found["by_verdict"]) == 4
    assert len(found["by_client_type"]) == len(CLIENT_TYPES)
    assert found["money_at_risk"] == [{"amount": "0.00", "currency": "USD"}]
    assert [len(one["moves"]) for one in found["changes"]] == [20, 20]
    answer = await api.get("/v1/metrics", headers={"Accept": OPEN_METRICS})
    shown = families(answer.text, OPEN_METRICS)
    assert len(samples(shown, "partwise_portfolio_clients")) == 4 * len(CLIENT_TYPES)
    assert samples(shown, "partwise_portfolio_score_gcount") == {(): 0}


async def test_a_verdict_that_changes_is_counted(api: httpx.AsyncClient):
    await tell(api, cloud_event("s", "contract.sent", time="2026-01-01T00:00:00Z"))
    week = (await api.get("/v1/metrics")).json()["changes"][0]
    assert [one for one in week["moves"] if one["clients"]] == [{"before": None, "after": "keep", "clients": 1}]
    refused = [cloud_event(f"r{n}", "contract.declined", time=f"2026-0{n}-01T00:00:00Z") for n in range(2, 8)]
    owed = {"invoice": "X", "amount": "9000", "currency": "USD", "due_date": "2026-02-01"}
    await tell(api, *refused, cloud_event("i", data=owed, time="2026-01-02T00:00:00Z"))
    week = (await api.get("/v1/metrics")).json()["changes"][0]
    assert (week["improved"], week["worsened"]) == (0, 1)
    (now,) = [one["verdict"] for one in (await api.get("/v1/metrics")).json()["by_verdict"] if one["clients"]]
    assert {"before": "keep", "after": now, "clients": 1} in week["moves"]
    await api.delete("/v1/clients/acme")
    found = (await api.get("/v1/metrics")).json()
    assert found["clients"] == 0
    assert {"before": now, "after": None, "clients": 1} in found["changes"][0]["moves"]
    assert [one["amount"] for one in found["money_at_risk"] if float(one["amount"])] == []


# ---------------------------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/json", "application/json"),
        (PROMETHEUS, OPEN_METRICS),
        (OPEN_METRICS, OPEN_METRICS),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"),
        ("text/*", "text/plain"),
        ("application/openmetrics-text;q=0,text/plain;q=0.1", "text/plain"),
    ],
)
async def test_the_form_is_what_is_wanted_most(api: httpx.AsyncClient, accept: str | None, media: str):
    api.headers.pop("accept", None)
    answer = await api.get("/v1/metrics", headers={} if accept is None else {"Accept": accept})
    assert answer.status_code == 200
    kind, _, parameters = answer.headers["content-type"].partition(";")
    assert kind == media
    assert ("version=1.0.0" in parameters) == (media == OPEN_METRICS)
    assert "Accept" in answer.headers["Vary"].split(", ")


async def test_other_forms_are_refused(api: httpx.AsyncClient):
    problem = check(await api.get("/v1/metrics", headers={"Accept": "application/xml"}), 406)
    assert OPEN_METRICS in problem["detail"]


@pytest.mark.parametrize("media", [OPEN_METRICS, "text/plain"])
async def test_prometheus_reads_the_numbers_of_the_json(filled: httpx.AsyncClient, media: str):
    await tell(filled, cloud_event("odd", "contract.declined", ODD, time="2026-01-01T00:00:00Z"))
    found = (await filled.get("/v1/metrics?top=100")).json()
    shown = families((await filled.get("/v1/metrics?top=100", headers={"Accept": media})).text, media)
    clients = samples(shown, "partwise_portfolio_clients")
    assert set(clients) == {(kind, verdict) for kind in CLIENT_TYPES for verdict in Verdict}
    for one in found["by_verdict"]:
        assert sum(n for (_, verdict), n in clients.items() if verdict == one["verdict"]) == one["clients"]
    for one in found["by_client_type"]:
        assert sum(n for (kind, _), n in clients.items() if kind == one["client_type"]) == one["clients"]
    buckets = samples(shown, "partwise_portfolio_score_bucket")
    below = 0
    for step in found["score"]["steps"]:
        below += step["clients"]
        assert buckets[f"{step['up_to']}.0",] == below
    assert buckets["+Inf",] == below == samples(shown, "partwise_portfolio_score_gcount")[()]
    assert samples(shown, "partwise_portfolio_score_gsum")[()] == found["score"]["sum"]
    strain = samples(shown, "partwise_portfolio_strain_decibans")
    assert strain == {(one["sign"],): one["decibans"] for one in found["strain"]}
    leads = samples(shown, "partwise_portfolio_leading_sign_clients")
    assert leads == {**{(one["sign"],): one["leads"] for one in found["strain"]}, ("none",): found["without_sign"]}
    for name in ("money_at_risk", "cost_of_staying"):
        series = f"partwise_portfolio_{name}" + ("_per_month" if name == "cost_of_staying" else "")
        assert samples(shown, series) == {(one["currency"],): float(one["amount"]) for one in found[name]}
    changes = samples(shown, "partwise_portfolio_verdict_changes")
    assert changes == {
        (one["after"] or "none", one["before"] or "none", f"{part['days']}d"): one["clients"]
        for part in found["changes"]
        for one in part["moves"]
    }
    assert samples(shown, "partwise_portfolio_worsened") == {
        (f"{one['days']}d",): one["worsened"] for one in found["changes"]
    }
    scores = samples(shown, "partwise_client_score")
    assert scores == {(one["client_id"],): one["score"] for one in found["top"]}
    assert (ODD,) in scores
    for one in found["top"]:
        told = {verdict: samples(shown, "partwise_client_verdict")[one["client_id"], verdict] for verdict in Verdict}
        assert told == {verdict: float(verdict == one["verdict"]) for verdict in Verdict}
    infos = samples(shown, "partwise_client_info")
    assert infos == {(one["client_id"], one["client_type"], one["leading_sign"] or "none"): 1 for one in found["top"]}


async def test_every_series_is_shown_by_its_table(filled: httpx.AsyncClient):
    answer = await filled.get("/v1/metrics?names=true", headers={"Accept": OPEN_METRICS})
    shown = families(answer.text, OPEN_METRICS)
    assert list(shown) == [one.name for one in SERIES]
    for series in SERIES:
        assert re.match(r"partwise_(portfolio|client)(_|$)", series.name)
        family = shown[series.name]
        assert (family.type, family.documentation) == (series.kind, series.help)
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        assert labels == set(series.labels), series.name


def rows_of_the_document() -> dict[str, tuple[str, str]]:
    row = r"^\| `(partwise_\w+)` \| (.*?) \| .* \| (.*) \|$"
    return {name: (labels, told) for name, labels, told in re.findall(row, DOCUMENT.read_text(), flags=re.MULTILINE)}


def test_the_documented_table_is_that_of_the_code():
    expected = {
        one.shown_as: (", ".join(f"`{name}`" for name in one.labels if name != "name"), one.help) for one in SERIES
    }
    assert rows_of_the_document() == expected


# -------------------------------------------------------------------------------------------------- clients, one by one


async def test_as_many_clients_as_are_wanted(filled: httpx.AsyncClient):
    async def shown(query: str) -> list[str]:
        found = (await filled.get(f"/v1/metrics{query}")).raise_for_status().json()
        return [one["client_id"] for one in found["top"]]

    everybody = await shown("?top=100")
    assert len(everybody) == len(STORIES) + 1
    assert await shown("") == everybody[:10]
    assert await shown("?top=3") == everybody[:3]
    assert await shown("?top=0") == []
    for wrong in ("-1", "101", "x", "1.5", ""):
        problem = check(await filled.get(f"/v1/metrics?top={wrong}"), 422)
        assert problem["errors"][0]["pointer"] == "?top"


async def test_names_take_a_scope_of_their_own(caller: Caller, tenant: str):
    owner, plain, both = await caller(tenant), await caller(tenant, Scope.METRICS), None
    await owner.put("/v1/clients/acme", json={"name": "Acme Corp."})
    both = await caller(tenant, Scope.METRICS, Scope.READ)
    assert "Acme Corp." not in (await both.get("/v1/metrics")).text
    check(await plain.get("/v1/metrics?names=true"), 403)
    found = (await both.get("/v1/metrics?names=true")).json()
    assert found["top"][0]["name"] == "Acme Corp."
    answer = await both.get("/v1/metrics?names=true", headers={"Accept": OPEN_METRICS})
    assert samples(families(answer.text, OPEN_METRICS), "partwise_client_info") == {
        ("acme", "unknown", "none", "Acme Corp."): 1
    }
    tag = answer.headers["ETag"]
    await owner.put("/v1/clients/acme", json={"name": "Another"})
    answer = await both.get("/v1/metrics?names=true", headers={"Accept": OPEN_METRICS, "If-None-Match": tag})
    assert answer.status_code == 200
    assert "Another" in answer.text


# ---------------------------------------------------------------------------------------------------------------- again


async def test_who_has_it_is_told_so_without_working_it_out(filled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    from app.store.tallies import PostgresTallies

    tags = {}
    for media in ("application/json", OPEN_METRICS, "text/plain"):
        answer = await filled.get("/v1/metrics", headers={"Accept": media})
        assert answer.headers["Cache-Control"] == "private, no-cache"
        tags[media] = answer.headers["ETag"]
    assert len(set(tags.values())) == 3

    async def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the sums were read")

    monkeypatch.setattr(PostgresTallies, "read", refuse)
    for media, tag in tags.items():
        for method in ("GET", "HEAD"):
            headers = {"Accept": media, "If-None-Match": f'"x", {tag}'}
            answer = await filled.request(method, "/v1/metrics", headers=headers)
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
            assert "Accept" in answer.headers["Vary"].split(", ")


async def test_a_tag_is_of_one_form_query_and_state(filled: httpx.AsyncClient):
    async def tag(query: str = "", accept: str = "application/json", known: str = "") -> tuple[int, str]:
        headers = {"Accept": accept} | ({"If-None-Match": known} if known else {})
        answer = await filled.get(f"/v1/metrics{query}", headers=headers)
        return answer.status_code, answer.headers["ETag"]

    _, first = await tag()
    assert await tag() == (200, first)
    assert await tag(known=first) == (304, first)
    assert (await tag("?top=3", known=first))[0] == 200
    assert (await tag(accept=OPEN_METRICS, known=first))[0] == 200
    await tell(filled, cloud_event("late", "contract.declined", "owes", time="2026-02-01T00:00:00Z"))
    status, second = await tag(known=first)
    assert status == 200
    assert second != first
    await filled.delete("/v1/clients/owes")
    status, third = await tag(known=second)
    assert status == 200
    # Money has another currency then, without any client having changed.
    version = (await filled.post("/v1/policies", json={"settings": {"exchange_rates": {"EUR": "1.1"}}})).json()
    await filled.post(f"/v1/policies/{version['version']}/activate", headers={"If-Match": "*"})
    status, _ = await tag(known=third)
    assert status == 200
    found = (await filled.get("/v1/metrics")).json()
    assert "EUR" in {one["currency"] for one in found["money_at_risk"]}
    assert found["policy_version"] == version["version"]


async def test_head_is_get_without_its_content(filled: httpx.AsyncClient):
    whole, head = await filled.get("/v1/metrics"), await filled.head("/v1/metrics")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control"):
        assert head.headers[name] == whole.headers[name]
