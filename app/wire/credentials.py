"""What somebody presents: `Authorization: Bearer`, once."""

from collections.abc import Iterable

from app.use_cases.errors import UnauthenticatedError

__all__ = ["bearer_secret"]


def bearer_secret(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The API key or token among the headers of a request.

    Raises:
        UnauthenticatedError: there is none, or more than one: a proxy may have read another one than we would.
    """
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) > 1:
        raise UnauthenticatedError("expected one Authorization header")
    scheme, _, secret = given[0].decode("latin-1").partition(" ") if given else ("", "", "")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("send an API key or a token: Authorization: Bearer …", presented=False)
    return secret.strip(" ")
