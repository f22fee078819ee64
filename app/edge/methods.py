"""OPTIONS, and the methods that come with others."""

from starlette.types import Message, Send

from app.edge.cors import Header

__all__ = ["AskedForMethods", "with_methods_of_ours"]


def with_methods_of_ours(headers: list[Header]) -> list[Header]:
    """The headers of an answer whose `Allow` names what can be done at a path: HEAD where GET can be, and OPTIONS."""
    allowed = b",".join(value for name, value in headers if name == b"allow")
    methods = {one.strip() for one in allowed.split(b",")} - {b""}
    if not methods:
        return headers
    methods |= {b"HEAD", b"OPTIONS"} if b"GET" in methods else {b"OPTIONS"}
    return [*(one for one in headers if one[0] != b"allow"), (b"allow", b", ".join(sorted(methods)))]


class AskedForMethods:
    """Turns the refusal of OPTIONS, which names what is possible at a path, into the answer to it."""

    def __init__(self, send: Send) -> None:
        """Answer by `send`."""
        self._send = send
        self._is_answered = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on, or what takes its place."""
        if message["type"] == "http.response.start" and message["status"] == 405:
            self._is_answered = True
            allowed = [one for one in message["headers"] if one[0] == b"allow"]
            await self._send({"type": "http.response.start", "status": 204, "headers": allowed})
            await self._send({"type": "http.response.body", "body": b""})
        elif not self._is_answered:
            await self._send(message)
