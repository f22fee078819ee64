"""What the problem types mean, for whoever follows the `type` of a problem: as HTML or as JSON; no key is needed."""

import re
from collections.abc import Iterable
from html import escape
from typing import Annotated, Self

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from app.rest.problem_types import NOT_FOUND, PROBLEM_TYPES, ProblemType
from app.rest.problems import problem
from app.wire.media import best_media

__all__ = ["router"]

router = APIRouter(tags=["problems"])

# Nothing is loaded and nothing is run.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=3600",
    "Vary": "Accept",
}
Accepted = Annotated[str, Header(include_in_schema=False)]


class ProblemTypeAnswer(BaseModel):
    """A kind of problem."""

    type: str = Field(description="As in the `type` of such a problem.", examples=[NOT_FOUND.uri])
    title: str
    status: int = Field(description="The status that it comes with.")
    meaning: str = Field(description="What has happened.")
    remedy: str = Field(description="What to do about it.")

    @classmethod
    def of(cls, kind: ProblemType) -> Self:
        """Make it from a type."""
        return cls(type=kind.uri, title=kind.title, status=kind.status, meaning=kind.meaning, remedy=kind.remedy)


class ProblemTypeList(BaseModel):
    """All kinds of problems."""

    items: list[ProblemTypeAnswer]


@router.get(
    "/problems",
    response_model=ProblemTypeList,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    summary="List the problem types",
)
async def list_problem_types(accept: Accepted = "") -> Response:
    """Every `type` that a problem may have (RFC 9457), with what it means and what to do; no key is needed."""
    kinds = PROBLEM_TYPES.values()
    if _wants_page(accept):
        return _page("Problem types", kinds)
    return _json(ProblemTypeList(items=[ProblemTypeAnswer.of(kind) for kind in kinds]))


@router.get(
    "/problems/{slug}",
    response_model=ProblemTypeAnswer,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    summary="Get a problem type",
)
async def get_problem_type(
    slug: Annotated[
        str,
        Path(
            description="What follows `/problems/` in the `type`.",
            examples=[NOT_FOUND.slug],
            json_schema_extra={"enum": [*PROBLEM_TYPES]},
        ),
    ],
    accept: Accepted = "",
) -> Response:
    """What one `type` of problem means and what to do; no key is needed."""
    kind = PROBLEM_TYPES.get(slug)
    if kind is None:
        return problem(NOT_FOUND, f"there is no problem type {slug[:100]!r}; /problems lists them")
    return _page(kind.title, [kind]) if _wants_page(accept) else _json(ProblemTypeAnswer.of(kind))


def _wants_page(accept: str) -> bool:
    return best_media(accept[:1000], ("application/json", "text/html")) == "text/html"


def _json(found: BaseModel) -> Response:
    return JSONResponse(found.model_dump(mode="json"), headers=_HEADERS)


def _page(title: str, kinds: Iterable[ProblemType]) -> Response:
    parts = [
        f'<h2 id="{kind.slug}"><a href="{kind.uri}">{escape(kind.title)}</a></h2>\n'
        f"<p><code>{kind.uri}</code>, status {kind.status}</p>\n"
        f"<p>{_marked_up(kind.meaning)}</p>\n<p><b>What to do:</b> {_marked_up(kind.remedy)}</p>"
        for kind in kinds
    ]
    head = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)} – Partwise</title>\n"
    )
    foot = '<p><a href="/problems">All problem types</a></p>\n</html>\n'
    return HTMLResponse("\n".join((head, *parts, foot)), headers=_HEADERS)


def _marked_up(text: str) -> str:
    """A text of the table in HTML: what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
