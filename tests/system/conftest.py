"""One real server for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.node import FRONT_ENDS, Packages, installed
from tests.service import Service, running


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def front_ends() -> Packages:
    """What front-end teams would use, from npm."""
    return installed(FRONT_ENDS)
