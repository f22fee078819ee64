"""Answers that stay as they are for as long as the process lives: pages, their files, the OpenAPI document."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["Fixed"]


class Fixed:
    """One such answer, with a strong tag by which whoever has it already is told so."""

    def __init__(self, content: bytes, media_type: str, caching: str) -> None:
        """Answer with content; `caching` is its Cache-Control."""
        self._content = content
        self._media_type = media_type
        # Replicas of one version have the same tag.
        self._headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            "Cache-Control": caching,
            "X-Content-Type-Options": "nosniff",
        }

    def answer(self, request: Request) -> Response:
        """Answer a GET: 304 where the client has it (RFC 9110, 13.1.2)."""
        tag = self._headers["ETag"]
        known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
        if tag in known or "*" in known:
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers, media_type=self._media_type)
