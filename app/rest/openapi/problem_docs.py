"""The page of docs/ about problems, from their table and the document."""

from typing import Any, Final

from app.rest.openapi.operations import operations_of
from app.rest.problem_types import PROBLEM_TYPES, ProblemType

__all__ = ["problems_document"]

_HEAD: Final = """# Problems

Every error is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), of the media type
`application/problem+json`. Its `type` is one of those below: compare it, for it never changes its meaning and is never
taken away; new ones may be added. It is a reference relative to the server, which answers it with what is written here,
as a page or as JSON. `detail` is for people and may change. `errors` names each field that is wrong: a JSON pointer
into the body, `?name` for a query parameter, `{name}` for a part of the path, `name:` for a header.

GraphQL has its own codes: [graphql.md](graphql.md). `make openapi` writes this page from the code.
"""
_FEW: Final = 6


def problems_document(document: dict[str, Any]) -> str:
    """The page, one part for each type, in the order of their statuses."""
    kinds = sorted(PROBLEM_TYPES.values(), key=lambda kind: kind.status)
    listed = [f"| [`{kind.uri}`](#{kind.slug}) | {kind.status} | {kind.title} |" for kind in kinds]
    table = "\n".join(["| type | status | title |", "|---|---|---|", *listed])
    return "\n".join([_HEAD, f"{table}\n", *(_part(kind, document) for kind in kinds)])


def _part(kind: ProblemType, document: dict[str, Any]) -> str:
    return (
        f"## {kind.slug}\n\n**{kind.status} {kind.title}.** {kind.meaning}\n\n**What to do.** {kind.remedy}\n\n"
        f"**Answered by** {_answered_by(kind, document)}.\n"
    )


def _answered_by(kind: ProblemType, document: dict[str, Any]) -> str:
    operations = list(operations_of(document))
    found = [one for one in operations if kind.slug in _slugs(one.spec["responses"].get(str(kind.status)), document)]
    if not found:
        return "the server itself, before there is an operation"
    if len(found) == len(operations):
        return "every operation"
    if found == [one for one in operations if one.needs_key]:
        return "every operation that takes a key"
    if len(found) > _FEW:
        return f"{len(found)} operations, as the OpenAPI document says of each"
    return ", ".join(f"`{one.method} {one.path}`" for one in found)


def _slugs(answer: dict[str, Any] | None, document: dict[str, Any]) -> set[str]:
    if answer is None:
        return set()
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return set(answer.get("content", {}).get("application/problem+json", {}).get("examples", ()))
