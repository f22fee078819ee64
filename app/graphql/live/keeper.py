"""Looks after all that is open: whether its key still counts, and whether the process is about to end."""

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from app.graphql.live.ends import End
from app.ports.ledger import StoreUnavailableError
from app.ports.tokens import IssuerUnavailableError
from app.services import Ending
from app.use_cases.authenticate import Authenticate
from app.use_cases.errors import ForbiddenError, UnauthenticatedError
from app.use_cases.keys import Principal

__all__ = ["Keeper", "Kept"]

LOOK_SECONDS: Final = 15.0
"""Until a key is looked at again."""
_TICK: Final = 0.25
_AT_ONCE: Final = 50
_PATIENCE: Final = 4
"""Looks in a row at which nobody could be asked."""

_log: Final = logging.getLogger("partwise.graphql")


class Kept(Protocol):
    """Something that is open in somebody's name."""

    @property
    def principal(self) -> Principal:
        """In whose."""
        ...

    @property
    def secret(self) -> str:
        """What he presented."""
        ...

    def end(self, end: End, detail: str, *, forbidden: bool = False) -> None:
        """End it, and say why; returns at once. `forbidden` where the key counts and may not."""
        ...


class _Watched:
    __slots__ = ("due", "missed", "one")

    def __init__(self, one: Kept, due: float) -> None:
        self.one = one
        self.due = due
        self.missed = 0


class Keeper:
    """One task for all of them: a timer for each would cost more."""

    def __init__(self, authenticate: Authenticate, ending: Ending, look_seconds: float = LOOK_SECONDS) -> None:
        """Look at keys again and again, until the process ends."""
        self._authenticate = authenticate
        self._ending = ending
        self._look_seconds = look_seconds
        self._watched: set[_Watched] = set()
        self._task: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_ending(self) -> bool:
        """Whether nothing is to be opened any more."""
        return self._ending.has_begun

    @contextmanager
    def keeping(self, one: Kept) -> Iterator[None]:
        """Look after it for as long as the block lasts; its key has just been looked at."""
        watched = _Watched(one, asyncio.get_running_loop().time() + self._look_seconds)
        self._watched.add(watched)
        if self._task is None:
            # In nobody's name, and in no request's.
            self._task = asyncio.create_task(self._keep(), context=contextvars.Context())
        try:
            yield
        finally:
            self._watched.discard(watched)

    async def _keep(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while self._watched:
                await asyncio.sleep(_TICK)
                if self._ending.has_begun:
                    for watched in list(self._watched):
                        watched.one.end(End.SHUTDOWN, "")
                elif self._looking is None:
                    due = [watched for watched in self._watched if watched.due <= now()][:_AT_ONCE]
                    if due:
                        self._looking = asyncio.create_task(self._look(due))
        finally:
            self._task = None

    async def _look(self, due: list[_Watched]) -> None:
        try:
            await asyncio.gather(*map(self._look_at, due))
        except Exception:
            _log.exception("keys could not be looked at")
        finally:
            self._looking = None

    async def _look_at(self, watched: _Watched) -> None:
        one = watched.one
        watched.due = asyncio.get_running_loop().time() + self._look_seconds
        try:
            found = await self._authenticate(one.secret, one.principal.request_id)
        except UnauthenticatedError as error:
            one.end(End.KEY, str(error))
        except ForbiddenError as error:
            one.end(End.KEY, str(error), forbidden=True)
        except (StoreUnavailableError, IssuerUnavailableError):
            watched.missed += 1
            if watched.missed >= _PATIENCE:
                one.end(End.UNAVAILABLE, "the database is not available at present")
        else:
            watched.missed = 0
            if found.tenant_id != one.principal.tenant_id or not found.scopes >= one.principal.scopes:
                one.end(End.KEY, "this key may do less than it could", forbidden=True)
