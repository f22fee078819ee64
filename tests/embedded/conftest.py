"""A data folder to break, and processes that use it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded import EmbeddedPostgres
from tests.embedded.owners import Owner, postmaster


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever still runs in it is ended afterwards."""
    folder = tmp_path / "home"
    yield folder
    server = EmbeddedPostgres(folder)
    process = postmaster(folder) if folder.is_dir() and (folder / "postgres" / "data").exists() else None
    if process is not None:
        process.resume()
        server.stop_unowned(force=True)


@pytest.fixture
def owner(home: Path) -> Iterator[Callable[[], Owner]]:
    """Start owners of the data folder."""
    owners: list[Owner] = []

    def start() -> Owner:
        owners.append(Owner(home))
        return owners[-1]

    yield start
    for each in owners:
        each.close()
