"""One real server for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.service import Service, running


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with running() as found:
        yield found
