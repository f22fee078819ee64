"""The administrator of an embedded Postgres: nobody else may copy rows into tables that keep tenants apart."""

from pathlib import Path
from urllib.parse import urlsplit

from app.embedded import EmbeddedPostgres
from app.embedded.cluster import SUPERUSER, Credentials
from app.embedded.folder import Folder

__all__ = ["administrator_url"]


def administrator_url(postgres: EmbeddedPostgres, home: Path) -> str:
    """The URL of its database as the administrator, for asyncpg."""
    found = urlsplit(postgres.url())
    password = Credentials.read(Folder(home)).superuser
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{found.port}{found.path}"
