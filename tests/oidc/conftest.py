"""Providers on this machine."""

from collections.abc import Iterator

import pytest

from tests.oidc.local_issuer import LocalIssuer, local_issuer


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with local_issuer() as found:
        yield found


@pytest.fixture
def other() -> Iterator[LocalIssuer]:
    with local_issuer() as found:
        yield found
