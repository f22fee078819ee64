"""The server, a worker and Postgres are killed under load, and nothing that was acknowledged is lost or there twice."""

import pytest

from benchmarks.crashes import crashes


@pytest.mark.xdist_group("crashes")
def test_whatever_is_killed_nothing_is_lost(record_property):
    for line in crashes(rounds=4):
        record_property("summary", line)
