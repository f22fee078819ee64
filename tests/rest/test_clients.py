"""Clients and answers over HTTP."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest

from app.cli.demo import load_demo
from app.composition import create_app
from app.settings import Settings
from app.stories import STORIES
from tests.cloud_events import BATCH, as_json, cloud_event

SCORE = {
    "deal_breakers",
    "client_id",
    "score",
    "interval",
    "verdict",
    "evidence_level",
    "as_of",
    "known_at",
    "policy_version",
}
EXPLANATION = SCORE | {
    "client_type",
    "prior_decibans",
    "total_decibans",
    "signs",
    "trend",
    "cost_of_staying",
    "strategy",
    "parting",
}
SIGN = {"sign", "decibans", "points", "reason_code", "figures", "events", "sentence"}


async def test_a_client_is_put_got_and_put_again(api: httpx.AsyncClient):
    made = await api.put("/v1/clients/acme", json={"name": "Acme", "currency": "EUR"})
    assert (made.status_code, made.json()["name"]) == (201, "Acme")
    assert (await api.put("/v1/clients/acme", json={"name": "Acme"})).status_code == 200
    changed = await api.put("/v1/clients/acme", json={"time_zone": "Europe/Berlin"})
    assert {**changed.json(), "created_at": None} == {
        "client_id": "acme",
        "name": "Acme",
        "country": None,
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "created_at": None,
        "score": None,
    }
    kinds = [event["type"] for event in (await api.get("/v1/events")).json()["items"]]
    assert kinds == ["client.created", "client.updated"]


@pytest.mark.parametrize("name", ["a b", "ärger", "50%", "a/b", "a?b", "👩‍💻", "a+b", "%2F", "score"])
async def test_a_client_may_have_any_id(api: httpx.AsyncClient, name: str):
    path = f"/v1/clients/{quote(name, safe='')}"
    assert (await api.put(path, json={})).status_code == 201
    assert (await api.get(path)).json()["client_id"] == name
    assert (await api.get(f"{path}/score")).json()["client_id"] == name


async def test_a_client_of_whom_nothing_is_known(api: httpx.AsyncClient):
    await api.put("/v1/clients/acme", json={})
    score = (await api.get("/v1/clients/acme/score")).json()
    assert set(score) == SCORE
    assert (score["verdict"], score["evidence_level"]) == ("keep", "none")
    explanation = (await api.get("/v1/clients/acme/explanation")).json()
    assert set(explanation) == EXPLANATION
    assert all(set(sign) >= SIGN for sign in explanation["signs"])
    late = next(sign for sign in explanation["signs"] if sign["sign"] == "late")
    assert 0 < late["figures"]["next_invoice_late_probability"] < 1


async def test_days_beyond_terms_are_weighted_by_amount(api: httpx.AsyncClient):
    def bill(number: int, amount: int, paid: str) -> list[dict[str, object]]:
        data = {"invoice": f"I{number}", "amount": amount, "currency": "USD", "due_date": "2026-01-31"}
        return [
            cloud_event(f"i{number}", data=data),
            cloud_event(f"p{number}", "invoice.paid", time=f"{paid}T12:00:00Z", data={"invoice": f"I{number}"}),
        ]

    events = bill(1, 100, "2026-01-31") + bill(2, 300, "2026-02-20")
    await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    found = (await api.get("/v1/clients/acme/explanation?as_of=2026-03-01")).json()
    late = next(sign for sign in found["signs"] if sign["sign"] == "late")
    assert late["figures"]["days_beyond_terms"] == 15
    assert late["figures"]["payment_index"] == 70
    assert found["client_type"]["name"] in found["client_type"]["probabilities"]
    assert late["events"] == ["p2"]
    assert found["as_of"] == "2026-03-01T23:59:59.999999Z"


async def test_as_of_shows_what_was_true_then(api: httpx.AsyncClient):
    data = {"invoice": "A", "amount": 100, "currency": "USD", "due_date": "2026-01-31"}
    await api.post("/v1/events", content=as_json([cloud_event(data=data)]), headers={"Content-Type": BATCH})
    scores = [
        (await api.get(f"/v1/clients/acme/score?as_of={day}")).json()["score"]
        for day in ("2025-12-01", "2026-01-31", "2026-03-01", "2026-12-01")
    ]
    assert scores[0] == scores[1] < scores[2] < scores[3]


@pytest.fixture(scope="module")
async def demo(database_url: str):
    settings = Settings().with_database(database_url)
    key = await load_demo(settings)
    assert await load_demo(settings, key) == key, "loading again keeps the key and changes nothing"
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client,
    ):
        yield client


async def test_the_demo_shows_the_stories_with_their_verdicts(demo: httpx.AsyncClient):
    items = (await demo.get("/v1/clients?limit=200")).json()["items"]
    assert {item["client_id"]: item["score"]["verdict"] for item in items} == {
        story.client_id: story.outcome.verdict for story in STORIES
    }
    scores = [item["score"]["score"] for item in items]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("verdict", ["keep", "watch", "renegotiate", "part"])
async def test_the_list_is_filtered_by_verdict_and_paged(demo: httpx.AsyncClient, verdict: str):
    expected = {story.client_id for story in STORIES if story.outcome.verdict == verdict}
    names: list[str] = []
    cursor = ""
    while True:
        page = (await demo.get(f"/v1/clients?verdict={verdict}&limit=2{cursor}")).json()
        names += [item["client_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(names) == len(set(names))
    assert set(names) == expected


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.client_id)
async def test_decibans_and_points_add_up_in_the_json_too(demo: httpx.AsyncClient, story):
    found = (await demo.get(f"/v1/clients/{story.client_id}/explanation")).json()
    prior = 100 / (1 + 10 ** (-found["prior_decibans"] / 10))
    decibans = sum(sign["decibans"] for sign in found["signs"])
    assert abs(sum(sign["points"] for sign in found["signs"]) - (found["score"] - prior)) < 1e-9
    assert abs(decibans - (found["total_decibans"] - found["prior_decibans"])) < 1e-9
    score = (await demo.get(f"/v1/clients/{story.client_id}/score?as_of={found['as_of']}")).json()
    assert score == {name: found[name] for name in SCORE}
    for sign in found["signs"]:
        assert "{" not in sign["sentence"]
        assert set(sign["units"]) == set(sign["figures"])
        events = [(await demo.get(f"/v1/events/{name}")).json() for name in sign["events"]]
        assert all(event["subject"] == story.client_id for event in events), "the evidence is the client's own"
    assert json.dumps(found)


async def test_recourse_really_sent_reaches_the_verdict_that_it_promised(api: httpx.AsyncClient):
    data = {"invoice": "INV-1", "amount": 100, "currency": "USD", "due_date": "2026-01-31"}
    await api.post("/v1/events", content=as_json([cloud_event(data=data)]), headers={"Content-Type": BATCH})
    found = (await api.get("/v1/clients/acme/recourse?as_of=2026-06-30")).json()
    assert found["now"] == (await api.get("/v1/clients/acme/score?as_of=2026-06-30")).json()
    best = found["recourse"][-1]
    assert [(step["action"], step["subjects"]) for step in best["steps"]] == [("pay_invoice", ["INV-1"])]
    assert [(step["rate"], step["sentence"]) for step in best["steps"]] == [(None, "The client pays invoice INV-1.")]
    paid = cloud_event("p", "invoice.paid", time="2026-06-30T23:00:00Z", data={"invoice": "INV-1"})
    await api.post("/v1/events", content=as_json([paid]), headers={"Content-Type": BATCH})
    after = (await api.get("/v1/clients/acme/score?as_of=2026-06-30")).json()
    assert after["verdict"] == best["verdict"]
    assert after["score"] == pytest.approx(best["steps"][-1]["score"], abs=0.01)


async def test_recourse_of_the_stories(demo: httpx.AsyncClient):
    first = {
        "north-pier-events": "sign_contract",
        "velvet-fashion": "approve_change",
        "pennywise-stores": "accept_rate",
    }
    for client_id, action in {**first, "mirage-ventures": "pay_invoice"}.items():
        found = (await demo.get(f"/v1/clients/{client_id}/recourse")).json()
        assert found["recourse"], client_id
        assert {step["action"] for step in found["recourse"][0]["steps"]} == {action}
    for client_id in ("redline-media", "granite-logistics", "harbour-coffee"):
        assert (await demo.get(f"/v1/clients/{client_id}/recourse")).json()["recourse"] == []


async def test_a_client_is_told_as_it_was(api: httpx.AsyncClient):
    def named(event_id: str, kind: str, time: str, name: str) -> dict[str, object]:
        return cloud_event(event_id, type=kind, time=time, subject="acme", data={"name": name})

    told = [
        named("1", "client.created", "2026-01-05T10:00:00Z", "Acme"),
        named("2", "client.updated", "2026-03-05T10:00:00Z", "Acme & Sons"),
    ]
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    assert (await api.get("/v1/clients/acme")).json()["name"] == "Acme & Sons"
    assert (await api.get("/v1/clients/acme?as_of=2026-02-01")).json()["name"] == "Acme"
    page = (await api.get("/v1/clients?as_of=2026-02-01")).json()
    assert [item["name"] for item in page["items"]] == ["Acme"]
    assert [item["name"] for item in (await api.get("/v1/clients")).json()["items"]] == ["Acme & Sons"]


@pytest.mark.parametrize("query", ["?as_of=2025-12-31", "?known_at=2025-12-31"])
async def test_before_anything_was_known_all_reads_agree(api: httpx.AsyncClient, query: str):
    created = cloud_event("1", "client.created", time="2026-01-05T10:00:00Z", data={"name": "Acme"})
    await api.post("/v1/events", content=as_json([created]), headers={"Content-Type": BATCH})
    found = await api.get(f"/v1/clients/acme{query}")
    assert (found.status_code, found.json()["client_id"], found.json()["name"]) == (200, "acme", None)
    assert [item["name"] for item in (await api.get(f"/v1/clients{query}")).json()["items"]] == [None]
    for path in ("score", "explanation"):
        assert (await api.get(f"/v1/clients/acme/{path}{query}")).json()["evidence_level"] == "none"
    assert (await api.get(f"/v1/clients/acme/recourse{query}")).json()["recourse"] == []


async def test_a_cursor_keeps_to_the_names_of_its_time(api: httpx.AsyncClient):
    for n in range(2):
        await api.put(f"/v1/clients/c{n}", json={"name": "before"})
    now = quote(datetime.now(UTC).isoformat())
    first = (await api.get(f"/v1/clients?limit=1&as_of={now}")).json()
    for n in range(2):
        await api.put(f"/v1/clients/c{n}", json={"name": "after"})
    second = (await api.get(f"/v1/clients?limit=1&as_of={now}&cursor={first['next']}")).json()
    assert [item["name"] for item in first["items"] + second["items"]] == ["before", "before"]


async def test_steps_are_told_in_words(api: httpx.AsyncClient):
    rate = {"rate": "90.50", "currency": "EUR"}
    events = [cloud_event("p", "rate.proposed", data=rate)]
    events += [cloud_event(f"r{n}", "rate.refused", time=f"2026-0{n + 2}-01T09:00:00Z") for n in range(3)]
    await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
    for language, sentence in (
        ("en", "The client agrees to the proposed rate of €90.50 an hour."),
        ("ru", "Клиент соглашается на предложенную ставку: 90,50\xa0€ в час."),
    ):
        answer = await api.get(f"/v1/clients/acme/recourse?as_of=2026-05-01&language={language}")
        assert answer.headers["Content-Language"] == language
        (step,) = answer.json()["recourse"][-1]["steps"]
        assert (step["action"], step["subjects"], step["sentence"]) == ("accept_rate", [], sentence)
        assert step["rate"] == {"amount": "90.50", "currency": "EUR"}


@pytest.mark.parametrize("as_of", ["", "&as_of=2026-11-24"], ids=["now", "then"])
async def test_pages_are_the_whole_list(api: httpx.AsyncClient, as_of: str):
    """Scores that are the same are in the order of ids, by code point."""
    names = ["b", "B", "ä", "a/b", "10", "9", "\U0001f469"]
    told = [cloud_event(name, "contract.sent", name) for name in names]
    told.append(cloud_event("x", "contract.declined", "a/b", time="2026-02-01T00:00:00Z"))
    await api.post("/v1/events", content=as_json(told), headers={"Content-Type": BATCH})
    found: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/clients?limit=2{as_of}{cursor}")).json()
        found += [item["client_id"] for item in page["items"]]
        assert page["stale"] == 0
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ["a/b", *sorted(set(names) - {"a/b"})]


async def test_a_list_says_of_each_score_when_it_was_made(api: httpx.AsyncClient):
    await api.put("/v1/clients/acme", json={})
    (first,) = (await api.get("/v1/clients")).json()["items"]
    (again,) = (await api.get("/v1/clients")).json()["items"]
    assert first == again, "it is stored, not made anew"
    assert first["score"]["as_of"] <= datetime.now(UTC).isoformat()
    same = (await api.get(f"/v1/clients/acme/score?as_of={quote(first['score']['as_of'])}")).json()
    assert same == first["score"]
