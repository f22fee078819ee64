"""Pings of webhooks over REST, and their deliveries as far as a ping tells: real receivers, whatever they do."""

import asyncio
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.use_cases.ping_webhooks import MOST_PINGS
from tests.rest.test_bad_input import check
from tests.rest.test_webhooks import logged, made, path_of
from tests.webhook_receivers import Request, answering, receiving


async def pinged(api: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await api.post(f"{path}/ping")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_ping_is_sent_at_once_and_verified(api: httpx.AsyncClient):
    async with receiving(answering(200, b"thanks")) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
        (request,) = receiver.got
    assert request.line == "POST /hook?from=partwise HTTP/1.1"
    message = Webhook(webhook["secret"]).verify(request.body, request.headers)
    assert message == {
        "type": "webhook.ping",
        "timestamp": message["timestamp"],
        "data": {"webhook_id": webhook["webhook_id"]},
    }
    assert request.headers["webhook-id"] == found["message_id"]
    assert request.headers["content-type"] == "application/json"
    (attempt,) = found["attempts"]
    assert (found["number"], found["type"], found["state"], found["client_id"]) == (
        1,
        "webhook.ping",
        "delivered",
        None,
    )
    assert (attempt["status"], attempt["error"], attempt["answer"]) == (200, None, "thanks")
    path = path_of(webhook)
    assert (await api.get(f"{path}/deliveries")).json() == {"items": [found], "next": None}
    assert (await api.get(f"{path}/deliveries/1")).json() == {**found, "change": None}
    assert (await api.get(path)).json()["delivering"]["delivered_at"] == attempt["at"]
    assert await logged(api) == ["webhook.created", "webhook.pinged"]


async def test_while_secrets_change_both_sign(api: httpx.AsyncClient):
    async with receiving() as receiver:
        webhook = await made(api, url=receiver.url)
        path = path_of(webhook)
        second = (await api.post(f"{path}/rotate", json={"overlap": 60})).json()["secret"]
        await pinged(api, path)
        third = (await api.post(f"{path}/rotate", json={"overlap": 0})).json()["secret"]
        await pinged(api, path)
    both, one = receiver.got
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    for secret in (webhook["secret"], second):
        Webhook(secret).verify(both.body, both.headers)
    assert len(one.headers["webhook-signature"].split(" ")) == 1
    Webhook(third).verify(one.body, one.headers)
    for secret in (webhook["secret"], second):
        with pytest.raises(Exception, match="No matching signature"):
            Webhook(secret).verify(one.body, one.headers)


@pytest.mark.parametrize(
    ("status", "headers", "state"),
    [
        (200, (), "delivered"),
        (299, (), "delivered"),
        (301, ("Location: http://127.0.0.1:1/",), "failed"),
        (307, ("Location: /hook",), "failed"),
        (404, (), "failed"),
        (410, (), "failed"),
        (429, ("Retry-After: 5",), "failed"),
        (500, (), "failed"),
    ],
)
async def test_only_2xx_takes_it_and_nothing_is_followed(
    api: httpx.AsyncClient, status: int, headers: tuple[str, ...], state: str
):
    async with receiving(answering(status, b"", *headers)) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
        assert len(receiver.got) == 1
    assert (found["state"], found["attempts"][0]["status"]) == (state, status)
    assert (await api.get(path_of(webhook))).json()["state"] == "enabled"


async def test_of_a_long_answer_the_beginning_is_read(api: httpx.AsyncClient):
    sent = 0

    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
        for _ in range(160):
            writer.write("ä".encode() * 32_768)
            await writer.drain()
            sent += 65_536

    async with receiving(endless) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
    assert (found["state"], found["attempts"][0]["answer"]) == ("delivered", "ä" * 256)
    # What the sockets hold of it, and not the rest.
    assert sent < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH_9\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "closed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "malformed"),
        (b"\x00" * 10_000, "malformed"),
    ],
)
async def test_what_is_no_answer_fails(api: httpx.AsyncClient, answer: bytes, error: str):
    async def nonsense(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with receiving(nonsense) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
    assert found["state"] == "failed"
    assert found["attempts"][0]["error"] == error, found


async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dripping_head(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: x\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def dripping_body(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("answer", [silent, dripping_head, dripping_body])
async def test_whoever_takes_too_long_in_all_has_not_taken_it(api: httpx.AsyncClient, answer: Any):
    async with receiving(answer) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
    assert (found["state"], found["attempts"][0]["error"]) == ("failed", "timeout")
    assert found["attempts"][0]["milliseconds"] >= 900


async def test_what_an_answer_holds_is_kept_whatever_it_is(api: httpx.AsyncClient):
    async with receiving(answering(200, b"\x00\xff\xed\xa0\x80<b>\x1b[31m")) as receiver:
        webhook = await made(api, url=receiver.url)
        found = await pinged(api, path_of(webhook))
    assert found["attempts"][0]["answer"].startswith("\x00\ufffd")
    assert (await api.get(f"{path_of(webhook)}/deliveries")).json()["items"] == [found]


async def test_where_nobody_listens_it_is_said_so(api: httpx.AsyncClient):
    async with receiving() as receiver:
        port = receiver.port
    webhook = await made(api, url=f"http://127.0.0.1:{port}/")
    found = await pinged(api, path_of(webhook))
    assert (found["state"], found["attempts"][0]["error"]) == ("failed", "connect")


async def test_one_ping_of_a_webhook_at_once_and_so_many_a_minute(api: httpx.AsyncClient):
    reached, free = asyncio.Event(), asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await free.wait()
        await answering()(request, writer)

    async with receiving(slow) as receiver:
        webhook = await made(api, url=receiver.url)
        path = f"{path_of(webhook)}/ping"
        first = asyncio.create_task(api.post(path))
        await reached.wait()
        check(await api.post(path), 409)
        free.set()
        assert (await first).status_code == 200
        for _ in range(MOST_PINGS - 1):
            assert (await api.post(path)).status_code == 200
        refused = await api.post(path)
        assert check(refused, 429)["violated-policies"] == ["pings"]
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert len(receiver.got) == MOST_PINGS


async def test_a_ping_is_sent_once_by_its_name(api: httpx.AsyncClient):
    async with receiving() as receiver:
        webhook = await made(api, url=receiver.url)
        name = {"Idempotency-Key": "ping-1"}
        answers = [await api.post(f"{path_of(webhook)}/ping", headers=name) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert len(receiver.got) == 1


async def test_a_webhook_that_is_disabled_may_be_pinged(api: httpx.AsyncClient):
    async with receiving() as receiver:
        webhook = await made(api, url=receiver.url)
        await api.post(f"{path_of(webhook)}/disable")
        assert (await pinged(api, path_of(webhook)))["state"] == "delivered"
    assert (await api.get(path_of(webhook))).json()["state"] == "disabled"


async def test_deliveries_are_listed_page_by_page_and_filtered(api: httpx.AsyncClient):
    async with receiving() as receiver:
        webhook = await made(api, url=receiver.url)
        path = path_of(webhook)
        for status in (200, 500, 200, 500, 200):
            receiver.answer = answering(status)
            await pinged(api, path)
    found, url = [], f"{path}/deliveries?limit=2"
    while url:
        page = (await api.get(url)).json()
        found += [one["number"] for one in page["items"]]
        url = f"{path}/deliveries?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found == [5, 4, 3, 2, 1]
    for query, numbers in (
        ("state=failed", [4, 2]),
        ("state=delivered&type=webhook.ping", [5, 3, 1]),
        ("state=pending", []),
        ("type=assessment.changed", []),
        ("client_id=acme", []),
    ):
        page = (await api.get(f"{path}/deliveries?{query}")).json()
        assert [one["number"] for one in page["items"]] == numbers
    first = (await api.get(f"{path}/deliveries?limit=1&state=failed")).json()["next"]
    for query in (f"cursor={first}", f"cursor={first}&state=delivered", "cursor=x"):
        check(await api.get(f"{path}/deliveries?{query}"), 400)
    for query, pointer in (
        ("state=x", "?state"),
        ("type=x", "?type"),
        ("client_id=%00", "?client_id"),
        (f"client_id={'x' * 201}", "?client_id"),
        ("limit=0", "?limit"),
        ("state=failed&state=failed", "?state"),
    ):
        assert check(await api.get(f"{path}/deliveries?{query}"), 422)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(2**53), str(2**64), "%00", "9" * 1000])
async def test_a_number_that_is_none_is_refused(api: httpx.AsyncClient, number: str):
    webhook = await made(api)
    for method, more in (("GET", ""), ("POST", "/replay")):
        answer = await api.request(method, f"{path_of(webhook)}/deliveries/{number}{more}")
        assert check(answer, 422)["errors"][0]["pointer"] == "{number}"
        check(await api.request(method, f"{path_of(webhook)}/deliveries/{2**53 - 1}{more}"), 404)


@pytest.mark.parametrize(
    ("since", "until", "pointer"),
    [
        ("2026-11-24", "2026-11-25T00:00:00Z", "/since"),
        ("x", "2026-11-25T00:00:00Z", "/since"),
        ("2026-11-24T00:00:00", "2026-11-25T00:00:00Z", "/since"),
        (None, "2026-11-25T00:00:00Z", "/since"),
        (5, "2026-11-25T00:00:00Z", "/since"),
        ("2026-11-24T00:00:00Z", "0001-01-01T00:00:00Z", "/until"),
        ("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", "/until"),
        ("2026-11-24T00:00:00Z", "2026-11-23T00:00:00Z", "/until"),
        ("1999-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "/since"),
        ("2026-11-24T00:00:00Z", "x" * 100, "/until"),
    ],
)
async def test_a_period_that_is_none_is_refused(api: httpx.AsyncClient, since: object, until: object, pointer: str):
    webhook = await made(api)
    answer = await api.post(f"{path_of(webhook)}/replay", json={"since": since, "until": until})
    assert check(answer, 422)["errors"][0]["pointer"] == pointer
