"""Who asks over GraphQL, and whether it is let in."""

from starlette.types import Scope

from app.graphql.context import Context
from app.graphql.requests import Refused, limited
from app.language import preferred, speaker
from app.ports.ledger import StoreUnavailableError
from app.ports.tokens import IssuerUnavailableError
from app.services import Services, let_in
from app.use_cases.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from app.wire.challenges import challenge

__all__ = ["admitted", "refusal_of"]


async def admitted(services: Services, scope: Scope, secret: str) -> Context:
    """The surroundings of an operation, for who presents a key or a token.

    Raises:
        Refused: it does not count, may not be here, has asked for too much, or nobody can be asked.
    """
    try:
        principal = await services.authenticate(secret, scope.get("state", {}).get("request_id"))
        allowance = await let_in(scope, services.rates, principal)
    except (UnauthenticatedError, ForbiddenError) as error:
        raise refusal_of(error) from None
    except RateLimitedError as error:
        raise limited(error) from None
    except IssuerUnavailableError as error:
        raise Refused(503, str(error), "UNAVAILABLE", ((b"retry-after", b"5"),)) from None
    except StoreUnavailableError:
        message = "the database is not available at present; try again"
        raise Refused(503, message, "UNAVAILABLE", ((b"retry-after", b"1"),)) from None
    accepted = next((value for name, value in scope["headers"] if name == b"accept-language"), None)
    language = "en" if accepted is None else preferred(accepted.decode("latin-1")[:1000])
    return Context(services, principal, speaker(language), allowance)


def refusal_of(error: UnauthenticatedError | ForbiddenError) -> Refused:
    """The refusal of who does not count, or may not be here."""
    told = ((b"www-authenticate", challenge(error).encode()),)
    if isinstance(error, UnauthenticatedError):
        return Refused(401, str(error), "UNAUTHENTICATED", told)
    return Refused(403, str(error), "FORBIDDEN", told)
