"""What the present task is about, for whoever tells of it."""

from contextvars import ContextVar
from typing import Final

__all__ = ["REQUEST_ID"]

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The request that is being answered; None for none."""
