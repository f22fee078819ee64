"""What operators ask of a process: whether it lives, whether it is ready, and what it counts."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.rest.answers import StatusAnswer
from app.rest.openapi.operations import OPERATORS
from app.rest.problem_types import DATABASE_UNAVAILABLE, NOT_READY
from app.rest.problems import problem
from app.services import Vitals
from app.wire.media import best_media

__all__ = ["OPENMETRICS", "PLAIN", "operators_router"]

PLAIN: Final = "text/plain"
OPENMETRICS: Final = "application/openmetrics-text"
_VERSIONS: Final = {
    PLAIN: f"{PLAIN}; version=0.0.4; charset=utf-8",
    OPENMETRICS: f"{OPENMETRICS}; version=1.0.0; charset=utf-8",
}
_SCHEMA: Final = {"schema": {"type": "string"}}
_LONGEST: Final = 1000


def operators_router(vitals: Vitals) -> APIRouter:
    """The routes; `/metrics` only where it is told here."""
    router = APIRouter(tags=[OPERATORS])

    @router.get("/livez", response_model=StatusAnswer, summary="Is the process alive?")
    async def get_liveness() -> Response:
        """Never asks the database: restarting us would not mend it."""
        if stuck := vitals.stuck():
            return problem(NOT_READY, f"this stands still: {', '.join(stuck)}")
        return JSONResponse({"status": "ok"})

    @router.get("/readyz", response_model=StatusAnswer, summary="Can it serve?")
    async def get_readiness() -> Response:
        """Asks the database. From the moment on that the process is told to end, it is not ready."""
        if vitals.ending.has_begun:
            return problem(NOT_READY, "this server is about to end; ask another one", headers={"Retry-After": "1"})
        if await vitals.ready():
            return JSONResponse({"status": "ok"})
        return problem(DATABASE_UNAVAILABLE, "the database is not available at present", headers={"Retry-After": "1"})

    if (exposed := vitals.exposed) is not None:
        # One of its own: those of the core may have much to do.
        threads = ThreadPoolExecutor(1, "metrics")

        @router.get(
            "/metrics",
            response_class=PlainTextResponse,
            responses={200: {"content": {PLAIN: _SCHEMA, OPENMETRICS: _SCHEMA}}},
            summary="Prometheus metrics",
        )
        async def get_metrics(accept: Annotated[str, Header(include_in_schema=False)] = "") -> Response:
            """What this process counts, in the text format of Prometheus, or as OpenMetrics where that is wanted."""
            media = best_media(accept[:_LONGEST], (PLAIN, OPENMETRICS)) or PLAIN
            # Some hundredths of a second, for which nobody else is to wait.
            content = await asyncio.get_running_loop().run_in_executor(threads, exposed, media == OPENMETRICS)
            return Response(content, headers={"Content-Type": _VERSIONS[media], "Vary": "Accept"})

    return router
