"""Servers are replaced one by one under load behind a real proxy: no request fails, no acknowledged event is lost."""

import pytest

from benchmarks.rolling import rolling


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.xdist_group("rolling")
def test_replacing_every_server_fails_no_request(record_property):
    for line in rolling(rounds=1, servers=2):
        record_property("summary", line)
