"""What HTTP asks of every operation of the document, so that a new one is held to it by itself."""

import httpx
import pytest

from app.cli.openapi import document_of_the_code
from app.rest.openapi.operations import Operation, operations_of
from tests.cloud_events import STRUCTURED, as_json, cloud_event
from tests.rest.test_bad_input import check

OPERATIONS = [*operations_of(document_of_the_code())]
PATHS = sorted({operation.path for operation in OPERATIONS})
VALUES = {
    "client_id": "acme",
    "event_id": "one",
    "slug": "not-found",
    "version": "v1",
    "digest": "0" * 64,
    "key_id": "none",
    "webhook_id": "none",
    "number": "1",
}


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=named)
each_path = pytest.mark.parametrize("path", PATHS)


def allowed(path: str) -> set[str]:
    methods = {operation.method for operation in OPERATIONS if operation.path == path}
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def target(path: str) -> str:
    return path.format_map(VALUES)


@each_path
async def test_options_and_refusals_name_what_is_possible(api: httpx.AsyncClient, path: str):
    asked = await api.options(target(path))
    assert (asked.status_code, asked.content) == (204, b"")
    assert set(asked.headers["allow"].split(", ")) == allowed(path)
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"} - allowed(path):
        refused = await api.request(method, target(path))
        assert (refused.status_code, refused.headers["allow"]) == (405, asked.headers["allow"])
        assert refused.headers["content-type"] == "application/problem+json"
        assert bool(refused.content) == (method != "HEAD")


@each_path
async def test_a_slash_at_the_end_leads_nowhere(api: httpx.AsyncClient, path: str):
    """No redirect, that would go wherever the Host header says."""
    for method in allowed(path) - {"OPTIONS"}:
        answer = await api.request(method, f"{target(path)}/", headers={"Host": "elsewhere.example"}, json={})
        assert answer.status_code == 404
        assert "location" not in answer.headers


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "not there"])
@pytest.mark.parametrize("path", [operation.path for operation in OPERATIONS if operation.method == "GET"])
async def test_head_is_get_without_a_body(api: httpx.AsyncClient, path: str, is_there: bool):
    if is_there:
        sent = as_json(cloud_event("one"))
        assert (await api.post("/v1/events", content=sent, headers={"Content-Type": STRUCTURED})).status_code == 201
    # Some answers tell of the instant, and are not always of one length when they are compressed.
    api.headers["Accept-Encoding"] = "identity"
    got, head = await api.get(target(path)), await api.head(target(path))
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert int(head.headers["content-length"]) > 0
    # Each name is new; some answers tell of the instant in more digits or fewer.
    volatile = {"x-request-id", "content-length", "etag", "ratelimit"}
    kept = [{name: value for name, value in one.headers.items() if name not in volatile} for one in (got, head)]
    assert kept[0] == kept[1]
    assert set(got.headers) == set(head.headers)


@each_operation
async def test_an_answer_in_no_form_that_is_taken_is_refused(api: httpx.AsyncClient, operation: Operation):
    media = {
        media
        for status, answer in operation.spec["responses"].items()
        if status[0] == "2"
        for media in answer.get("content", ())
    }

    async def ask(accept: str) -> httpx.Response:
        read = [*operation.spec["requestBody"]["content"]] if operation.has_body else ["text/plain"]
        headers = {"Accept": accept, "Content-Type": read[0]}
        content = b"{}" if operation.has_body else None
        # A stream of events has no end; its head has.
        method = "HEAD" if accept == "text/event-stream" else operation.method
        return await api.request(method, target(operation.path), headers=headers, content=content)

    for accept in ("image/png", "application/json;q=0, text/*;q=0, application/x-ndjson;q=0", "text/csv, image/*"):
        answer = await ask(accept)
        if media:
            problem = check(answer, 406)
            assert all(one in problem["detail"] for one in media)
        else:
            assert answer.status_code != 406
    for accept in ("*/*", "text/html;q=0.1, */*;q=0.01", "image/png, application/*;q=0.5, text/*;q=0.5", ""):
        answer = await ask(accept)
        assert answer.status_code != 406
    for one in media:
        answer = await ask(one)
        assert answer.status_code != 406


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.has_body], ids=named)
async def test_a_body_in_a_form_that_is_not_read_is_refused(api: httpx.AsyncClient, operation: Operation):
    """The answer says which ones are."""
    read = [*operation.spec["requestBody"]["content"]]

    async def refusal(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await api.request(operation.method, target(operation.path), content=b"{}", headers=named)
        check(answer, 415)
        return answer

    for media in ("text/csv", "application/xml", "application/x-www-form-urlencoded", "nonsense"):
        accepted = (await refusal(content_type=media)).headers["accept"].split(", ")
        assert set(accepted) <= set(read)
    for coding in ("br", "gzip, zstd"):
        assert (await refusal(content_type=read[0], content_encoding=coding)).headers["accept-encoding"] == "zstd, gzip"


@each_operation
async def test_every_answer_names_its_request(api: httpx.AsyncClient, operation: Operation):
    for given, is_kept in (("crm-2026-10-01/17", True), ("no name", False), ("x" * 200, False), (None, False)):
        headers = {} if given is None else {"X-Request-Id": given}
        answer = await api.request(operation.method, target(operation.path), headers=headers)
        found = answer.headers["x-request-id"]
        assert found == given if is_kept else (found != given and len(found) == 32)
