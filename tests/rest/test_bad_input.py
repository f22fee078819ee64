"""Whatever a client sends, the answer is a problem that names the field; never a 500, never half stored."""

import json
from typing import Any

import httpx
import pytest

from app.ports.tenants import Scope
from app.rest.problem_types import PROBLEM_TYPES
from tests.cloud_events import BATCH, STRUCTURED, as_json, cloud_event
from tests.rest.conftest import Caller


def check(answer: httpx.Response, status: int) -> dict[str, Any]:
    """A problem as RFC 9457 has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    kind = PROBLEM_TYPES[body["type"].removeprefix("/problems/")]
    assert (body["title"], body["status"]) == (kind.title, kind.status)
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    ("path", "status", "pointer"),
    [
        ("/nothing", 404, None),
        ("/v2/clients", 404, None),
        ("/v1/clients/nobody", 404, None),
        ("/v1/clients/nobody/score", 404, None),
        ("/v1/clients/nobody/explanation", 404, None),
        ("/v1/clients/nobody/nothing", 404, None),
        ("/v1/events/none", 404, None),
        ("/v1/events/%00", 422, "{event_id}"),
        ("/v1/clients/%00/score", 422, "{client_id}"),
        ("/v1/clients/" + "x" * 201, 422, "{client_id}"),
        ("/v1/clients?limit=0", 422, "?limit"),
        ("/v1/clients?limit=201", 422, "?limit"),
        ("/v1/clients?limit=x", 422, "?limit"),
        ("/v1/clients?limit=99999999999999999999999", 422, "?limit"),
        ("/v1/clients?verdict=maybe", 422, "?verdict"),
        ("/v1/clients?cursor=x", 400, "?cursor"),
        ("/v1/clients?cursor=WyJhIiwgImIiXQ", 400, "?cursor"),
        ("/v1/clients?as_of=yesterday", 422, "?as_of"),
        ("/v1/clients?as_of=2026-02-30", 422, "?as_of"),
        ("/v1/clients?as_of=2026-01-01T00:00:00", 422, "?as_of"),
        ("/v1/clients?as_of=0001-01-01T00:00:00Z", 422, "?as_of"),
        ("/v1/clients?as_of=9999-12-31", 422, "?as_of"),
        ("/v1/clients?as_of=1970-01-01T00:00:00%2B23:59", 422, "?as_of"),
        ("/v1/clients?as_of=2199-12-31T23:00:00-23:59", 422, "?as_of"),
        ("/v1/clients?as_of=20260331T120000Z", 422, "?as_of"),
        ("/v1/clients?as_of=2026-03-31T12:00:00,5Z", 422, "?as_of"),
        ("/v1/clients?as_of=2026-03-31T12:00Z", 422, "?as_of"),
        ("/v1/clients?as_of=2026-W14", 422, "?as_of"),
        ("/v1/clients?as_of=2026-03-31T12:00:60Z", 422, "?as_of"),
        ("/v1/clients?as_of=2026-03-31t12:00:00.123456789z", 200, None),
        ("/v1/clients?as_of=1970-01-01T00:00:00-23:59", 200, None),
        ("/v1/clients/a%EF%B7%90b", 422, "{client_id}"),
        ("/v1/clients/a%EF%B7%90b%2Fc", 422, "{client_id}"),
        ("/v1/clients?as_of=%F0%9F%92%A9", 422, "?as_of"),
        ("/v1/events?since=x", 422, "?since"),
        ("/v1/events?until=x", 422, "?until"),
        ("/v1/events?cursor=WyJhIiwgImIiLCAiYyJd", 400, "?cursor"),
        ("/v1/events?cursor=%00", 400, "?cursor"),
        ("/v1/events?client_id=", 422, "?client_id"),
        ("/v1/events?client_id=%00", 422, "?client_id"),
        ("/v1/events?source=%ED%A0%80", 422, "?source"),
        ("/v1/events?limit=-1", 422, "?limit"),
    ],
)
async def test_reads(api: httpx.AsyncClient, path: str, status: int, pointer: str | None):
    answer = await api.get(path)
    if status == 200:
        assert answer.status_code == 200, answer.text
        return
    body = check(answer, status)
    assert pointer is None or [error["pointer"] for error in body["errors"]] == [pointer]


_ENVELOPE = cloud_event()


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        (STRUCTURED, b"", 400),
        (STRUCTURED, b"nonsense", 400),
        (STRUCTURED, b"[]", 400),
        (STRUCTURED, b"null", 400),
        (STRUCTURED, b'{"a":' * 50_000, 400),
        (STRUCTURED, b"\xff\xfe{}", 400),
        (STRUCTURED, b"{}", 422),
        (STRUCTURED, as_json(_ENVELOPE)[:-1], 400),
        (STRUCTURED, as_json({**_ENVELOPE, "id": "\x00"}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "data": {"amount": float("nan")}}), 400),
        (STRUCTURED, as_json(_ENVELOPE).replace(b'"0.01"', b"1e400"), 422),
        (STRUCTURED, as_json(_ENVELOPE).replace(b'"0.01"', b"9" * 5000), 422),
        (STRUCTURED, as_json(_ENVELOPE).replace(b'"0.01"', b'"' + b"9" * 100_000 + b'"'), 422),
        (STRUCTURED, as_json(_ENVELOPE).replace(b'"0.01"', b"1e-999999999"), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "time": "2026-01-01T24:00:00Z"}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "time": 5}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "time": "1970-01-01T00:00:00+01:00"}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "time": "0001-01-01T00:00:00+01:00"}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "subject": "a\ufdd0b"}), 422),
        (STRUCTURED, as_json({**_ENVELOPE, "data_base64": "AAAA", "data": None}), 422),
        (BATCH, b"{}", 400),
        (BATCH, b"[", 400),
        (BATCH, b"[" + b",".join([b"{}"] * 1001) + b"]", 400),
        (BATCH, b"[1" + b"0" * 8 * 1024 * 1024 + b"]", 413),
        (STRUCTURED, b"x" * (8 * 1024 * 1024 + 1), 413),
        ("text/plain", b"{}", 415),
        ("multipart/form-data", b"{}", 415),
        ("", b"{}", 415),
        ("application/xml", b"<a/>", 415),
    ],
)
async def test_events_that_cannot_be_taken(api: httpx.AsyncClient, media: str, body: bytes, status: int):
    check(await api.post("/v1/events", content=body, headers={"Content-Type": media} if media else {}), status)
    assert (await api.get("/v1/events")).json()["items"] == []


@pytest.mark.parametrize(
    ("media", "sent", "pointer"),
    [
        (STRUCTURED, {**_ENVELOPE, "id": "a\ud800"}, "/id"),
        (STRUCTURED, {**_ENVELOPE, "data": {"note": "\udc00"}}, "/data/note"),
        (BATCH, [_ENVELOPE, {**_ENVELOPE, "subject": "\ud800x"}], "/1/subject"),
    ],
)
async def test_half_of_a_surrogate_pair_is_named(api: httpx.AsyncClient, media: str, sent: Any, pointer: str):
    answer = await api.post("/v1/events", content=json.dumps(sent), headers={"Content-Type": media})
    expected = {"pointer": pointer, "detail": "a string has half of a surrogate pair"}
    assert check(answer, 422)["errors"] == [expected]
    assert (await api.get("/v1/events")).json()["items"] == []


async def test_an_encoded_slash_is_shown_as_it_was_sent(api: httpx.AsyncClient):
    assert check(await api.get("/v1/clients%2Facme"), 404)["detail"] == "there is nothing at /v1/clients%2Facme"
    found = check(await api.delete("/v1/clients/a%2fb/score"), 405)
    assert found["detail"] == "DELETE is not possible at /v1/clients/a%2Fb/score"


async def test_years_that_cannot_be_are_told(api: httpx.AsyncClient):
    expected = "expected a year from 1970 to 2199, in UTC"
    found = check(await api.get("/v1/clients?as_of=9999-12-31"), 422)
    assert found["errors"] == [{"pointer": "?as_of", "detail": expected}]
    body = {"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T00:00:00Z"}
    found = check(await api.post("/v1/api-keys", json=body), 422)
    assert found["errors"] == [{"pointer": "/expires_at", "detail": expected}]


async def test_an_empty_batch_is_answered(api: httpx.AsyncClient):
    answer = await api.post("/v1/events", content=b"[]", headers={"Content-Type": BATCH})
    assert (answer.status_code, answer.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"", 422, ""),
        (b"{", 400, None),
        (b"[]", 422, ""),
        (b'{"name": ""}', 422, "/name"),
        (b'{"name": 5}', 422, "/name"),
        (rb'{"name": "\u0000"}', 422, "/name"),
        (rb'{"name": "\ud800"}', 422, "/name"),
        (b'{"country": "Germany"}', 422, "/country"),
        (b'{"currency": "XXX"}', 422, "/currency"),
        (b'{"time_zone": "Mars/Olympus"}', 422, "/time_zone"),
        (b'{"time_zone": "localtime"}', 422, "/time_zone"),
        (b'{"time_zone": "Factory"}', 422, "/time_zone"),
        (b'{"nam": "x"}', 422, "/nam"),
        (b"{" * 20_000, 400, None),
        (b'{"name": NaN}', 422, "/name"),
    ],
)
async def test_clients_that_cannot_be_put(api: httpx.AsyncClient, body: bytes, status: int, pointer: str | None):
    found = check(await api.put("/v1/clients/acme", content=body, headers={"Content-Type": "application/json"}), status)
    assert pointer is None or [error["pointer"] for error in found["errors"]] == [pointer]
    assert (await api.get("/v1/clients/acme")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1/clients/acme"), ("POST", "/v1/policies"), ("POST", "/v1/clients/acme/simulate")],
)
async def test_a_body_is_json_in_a_coding_that_is_read(api: httpx.AsyncClient, method: str, path: str):
    body = b'{"settings": {}}'
    for media in ("text/plain", "application/xml", "multipart/form-data", "image/svg+xml"):
        check(await api.request(method, path, content=body, headers={"Content-Type": media}), 415)
    check(await api.request(method, path, content=body), 415)
    json_ = {"Content-Type": "application/json; charset=utf-8"}
    check(await api.request(method, path, content=body, headers={**json_, "Content-Encoding": "br"}), 415)


async def test_what_is_no_json_is_said_to_be_none_and_where(api: httpx.AsyncClient):
    headers = {"Content-Type": "application/json"}
    for method, path in (("PUT", "/v1/clients/acme"), ("POST", "/v1/policies")):
        found = check(await api.request(method, path, content=b'{"name": x}', headers=headers), 400)
        assert found["detail"].startswith("expected JSON: ")
        assert "character 9" in found["detail"]


async def test_a_header_is_not_named_like_a_field(api: httpx.AsyncClient):
    await api.put("/v1/clients/acme", json={})
    found = check(await api.get("/v1/clients/acme/explanation", headers={"Accept-Language": "x" * 1001}), 422)
    assert [error["pointer"] for error in found["errors"]] == ["Accept-Language:"]


async def test_methods_that_do_not_exist(api: httpx.AsyncClient):
    check(await api.delete("/v1/events"), 405)
    check(await api.post("/v1/clients/acme/score"), 405)
    check(await api.put("/v1/clients/acme/score", json={}), 405)
    assert "GET" in (await api.post("/v1/clients/acme/score")).headers["allow"]


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer pw_wrong", "Basic dXNlcjpwdw==", "Bearer " + "x" * 5000, "pw_x"]
)
async def test_without_a_key_there_is_no_access(api: httpx.AsyncClient, header: str | None):
    headers = {} if header is None else {"Authorization": header}
    api.headers.pop("Authorization")
    for path in ("/v1/clients", "/v1/events", "/v1/clients/acme/score"):
        answer = await api.get(path, headers=headers)
        check(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_scope_opens_what_it_names_and_no_more(caller: Caller, tenant: str):
    writer, reader = await caller(tenant, Scope.INGEST), await caller(tenant, Scope.READ)
    event: dict[str, Any] = {"content": as_json(cloud_event()), "headers": {"Content-Type": STRUCTURED}}
    check(await reader.post("/v1/events", **event), 403)
    assert (await writer.post("/v1/events", **event)).status_code == 201
    for path in ("/v1/events", "/v1/events/1", "/v1/clients", "/v1/clients/acme", "/v1/clients/acme/score"):
        check(await writer.get(path), 403)
        assert (await reader.get(path)).status_code == 200
    check(await reader.put("/v1/clients/acme", json={"name": "x"}), 403)


async def test_another_tenants_anything_is_not_there(api: httpx.AsyncClient, caller: Caller, tenant: str):
    await api.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": STRUCTURED})
    neighbour = await caller(tenant + "-neighbour")
    for path in ("/v1/events/1", "/v1/clients/acme", "/v1/clients/acme/score", "/v1/clients/acme/explanation"):
        assert (await api.get(path)).status_code == 200
        theirs = check(await neighbour.get(path), 404)
        nobodys = check(await neighbour.get(path.replace("acme", "nobody").replace("/1", "/2")), 404)
        assert theirs["title"] == nobodys["title"]
    assert (await neighbour.get("/v1/events")).json()["items"] == []
    assert (await neighbour.get("/v1/clients")).json()["items"] == []
    cursor = (await api.get("/v1/events?limit=1")).json()["next"]
    assert cursor is None
    answer = await neighbour.post("/v1/events", content=as_json(cloud_event()), headers={"Content-Type": STRUCTURED})
    assert answer.status_code == 201, "ids are the tenant's own"


async def test_an_error_of_ours_is_a_problem_without_details(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    async def broken(*arguments: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("app.use_cases.find_events.FindEvents.one", broken)
    answer = await api.get("/v1/events/1")
    check(answer, 500)
    assert "secret" not in answer.text


async def test_the_names_in_problems_are_the_ones_that_were_sent(api: httpx.AsyncClient):
    body = check(await api.get("/v1/clients/ärger%20%26%20söhne/score"), 404)
    assert "ärger & söhne" in body["detail"]
    assert json.dumps(body)


@pytest.mark.parametrize("media", [STRUCTURED, "application/json", "binary"])
async def test_one_event_is_no_longer_than_a_line(api: httpx.AsyncClient, media: str):
    event = cloud_event(data={f"name-{number}": 1 for number in range(20_000)})
    headers = {"Content-Type": media}
    if media == "binary":
        headers = {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}
        event, headers["Content-Type"] = event["data"], "application/json"
    found = check(await api.post("/v1/events", content=as_json(event), headers=headers), 413)
    assert "262144 bytes of one event" in found["detail"]


async def test_of_a_batch_only_the_event_that_is_too_long_is_refused(api: httpx.AsyncClient):
    long = cloud_event("2", data={"invoice": "x" * 300_000})
    answer = await api.post("/v1/events", content=as_json([cloud_event(), long]), headers={"Content-Type": BATCH})
    assert [one["status"] for one in answer.json()["results"]] == ["accepted", "invalid"]
    assert "262,144 bytes" in answer.text
