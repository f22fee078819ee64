"""What all tables belong to."""

from typing import Final

from sqlalchemy import DateTime, MetaData

__all__ = ["INSTANT", "METADATA"]

METADATA: Final = MetaData()
INSTANT: Final = DateTime(timezone=True)
