"""What `WWW-Authenticate` says to somebody who is not let in (RFC 6750, 3)."""

from app.use_cases.errors import ForbiddenError, UnauthenticatedError

__all__ = ["challenge"]


def challenge(error: UnauthenticatedError | ForbiddenError) -> str:
    """The challenge for an error; without `error=` where nothing was presented."""
    told = 'Bearer realm="partwise"'
    if isinstance(error, ForbiddenError):
        if error.scope is None:
            return told
        return f'{told}, error="insufficient_scope", error_description="{_plain(error)}", scope="{error.scope}"'
    if not error.presented:
        return told
    return f'{told}, error="invalid_token", error_description="{_plain(error)}"'


def _plain(error: Exception) -> str:
    """What may stand between quotes there: printable ASCII, without quotes and backslashes."""
    return "".join(one if one.isascii() and one.isprintable() and one not in '"\\' else "'" for one in str(error))[:300]
