"""The reference at /docs: Redoc over /openapi.json, served by us, so that it works offline."""

import secrets
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from app.rest.fixed import Fixed
from app.rest.paths import shown_path
from app.rest.problem_types import NOT_FOUND
from app.rest.problems import problem

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_FOLDER: Final = Path(__file__).parent
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
# A newer version is seen at once: what is kept is asked about by its tag each time.
_ASSETS: Final = {
    path.name: Fixed(path.read_bytes(), _TYPES[path.suffix], "public, no-cache")
    for path in sorted(_FOLDER.iterdir())
    if path.suffix in _TYPES
}
_PAGE: Final = (_FOLDER / "index.html").read_text()
# Scripts are ours alone; so are styles, which Redoc makes as it runs, by the nonce. The search runs in a worker that it
# makes of its own text. Nothing is sent but the question for the document, nothing may frame the page.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src data:; "
    "connect-src 'self'; worker-src blob:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@router.get("/", response_class=Response)
async def lead_to_the_reference() -> Response:
    """Who opens the address in a browser finds the reference."""
    return Response(status_code=302, headers={"Location": "/docs"})


@router.get("/docs", response_class=HTMLResponse)
async def get_reference() -> Response:
    """The page."""
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "Cross-Origin-Opener-Policy": "same-origin",
        # The nonce is of this answer alone.
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_PAGE.replace("{nonce}", nonce), headers=headers)


@router.get("/docs/assets/{name}", response_class=Response)
async def get_asset(name: str, request: Request) -> Response:
    """A file of the page."""
    found = _ASSETS.get(name)
    if found is None:
        return problem(NOT_FOUND, f"there is nothing at {shown_path(request)}")
    return found.answer(request)
