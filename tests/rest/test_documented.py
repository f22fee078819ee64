"""What the tests of this folder hold every answer to finds what the document does not say."""

import httpx
import orjson
import pytest

from app.rest.problem_types import CONFLICT, NOT_FOUND, ProblemType
from app.rest.problems import problem_body
from tests.rest.documented import PROBLEM, operation_of, undocumented

JSON = {"Content-Type": "application/json"}


def answered(
    method: str, path: str, status: int, headers: dict[str, str] | None = None, kind: ProblemType | None = None
) -> list[str]:
    body = orjson.dumps(problem_body(kind, "so")) if kind else b"{}"
    told = {"Content-Type": PROBLEM} if kind else headers
    answer = httpx.Response(status, headers=told, content=body, request=httpx.Request(method, f"http://test{path}"))
    return undocumented(answer, body)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/clients/acme", "getClient"),
        ("/v1/clients/a%2Fb?as_of=2026-01-01", "getClient"),
        ("/v1/clients/acme/score", "getScore"),
        ("/v1/clients/a/b/score", "getScore"),
        ("/v1/clients", "listClients"),
    ],
)
def test_an_operation_is_known_by_its_path(path: str, name: str):
    found = operation_of(httpx.Request("GET", f"http://test{path}"))
    assert found is not None
    assert found.id == name


def test_what_is_no_operation_is_not_looked_at():
    assert answered("GET", "/v2/none", 418) == []
    assert answered("PATCH", "/v1/clients/acme", 405) == []


def test_what_is_documented_is_let_through():
    assert answered("GET", "/v1/clients/acme", 200, JSON) == []
    assert answered("GET", "/v1/clients/acme", 404, kind=NOT_FOUND) == []
    assert answered("HEAD", "/v1/clients/acme", 200, JSON) == []


def test_what_is_not_is_found():
    assert answered("GET", "/v1/clients/acme", 203, JSON) == ["getClient: 203"]
    assert answered("GET", "/v1/clients/acme", 200, {"Content-Type": "text/csv"}) == ["getClient 200: text/csv"]
    assert answered("GET", "/v1/clients/acme", 200, {**JSON, "X-Own": "1"}) == ["getClient 200: header x-own"]
    assert answered("GET", "/v1/clients/acme", 409, kind=CONFLICT) == ["getClient: 409"]
    with pytest.raises(AssertionError):
        answered("GET", "/v1/clients/acme", 422, kind=NOT_FOUND)
