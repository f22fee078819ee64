"""Sources: what other systems export, turned into events. A new one is one file beside these and one entry here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.sources.receivables import RECEIVABLES
from app.sources.table import RowError, TableSource

__all__ = ["TABLES", "RowError", "TableSource"]

TABLES: Final[Mapping[str, TableSource]] = MappingProxyType({source.name: source for source in (RECEIVABLES,)})
"""Sources that come as a table, by name."""
