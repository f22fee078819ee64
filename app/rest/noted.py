"""What a request turns out to be, noted in the state of its scope for who watches from outside (`app.edge.observed`).

Middleware hand on copies of the scope, which share its state.
"""

from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.rest.problem_types import ProblemType
from app.services import STREAM

__all__ = ["PROBLEM", "ROUTE", "STREAM", "RouteNoted", "note_problem", "note_route", "note_stream"]

ROUTE: Final = "partwise.route"
"""The template of the path, or the path of a front."""
PROBLEM: Final = "partwise.problem"
"""The slug of the problem that was answered."""


def note_route(scope: Scope, template: str) -> None:
    """Note which route it was."""
    _note(scope, ROUTE, template)


def note_problem(scope: Scope, kind: ProblemType) -> None:
    """Note with which problem it was answered."""
    _note(scope, PROBLEM, kind.slug)


def note_stream(scope: Scope) -> None:
    """Note that it takes as long as its client likes."""
    _note(scope, STREAM, True)


def _note(scope: Scope, name: str, value: Any) -> None:
    scope.setdefault("state", {})[name] = value


class RouteNoted:
    """The innermost ASGI middleware: the router writes what it found into the very scope that it was given."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the router."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, then note."""
        try:
            await self._app(scope, receive, send)
        finally:
            template = getattr(scope.get("route"), "path", None)
            if template is not None:
                note_route(scope, template)
