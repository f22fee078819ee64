"""A real Prometheus over real processes: nothing fires while all is well, and two faults fire what they should."""

import time

import pytest

from monitoring.surroundings import Surroundings
from tests.monitoring.dashboards import questions
from tests.monitoring.load import loaded
from tests.monitoring.proof import Watch, until
from tests.monitoring.stage import staged

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system"), pytest.mark.timeout(500)]

AT = Surroundings(windows=1 / 100, least=5.0, least_wait=3.0, ages=1 / 20)
GOOD_SECONDS = 10.0
"""Long enough for each window to have samples; what may fire by mistake does so at once."""
BY_POSTGRES = ("PartwiseDatabaseAway",)
BY_WORKER = ("PartwiseNoWorker", "PartwiseTargetDown")


def test_two_faults_fire_and_end():
    with (
        staged(AT) as stage,
        loaded([one.url for one in stage.servers], stage.key, threads=1),
        Watch(stage.prometheus) as watch,
    ):
        time.sleep(GOOD_SECONDS)
        # Others fire where the machine has too little left for what runs on it.
        assert not set(watch.seen) & {*BY_POSTGRES, *BY_WORKER}
        assert set(stage.prometheus.targets().values()) == {"up"}
        assert stage.prometheus.unhealthy_rules() == []
        empty = [expr for panel, expr in questions() if not stage.prometheus.query(expr) and panel.always]
        assert empty == []

        with stage.frozen_postgres():
            assert until(watch, BY_POSTGRES, fires=True, seconds=100) == []
        assert until(watch, BY_POSTGRES, fires=False, seconds=100) == []

        stage.worker.kill()
        assert until(watch, BY_WORKER, fires=True, seconds=100) == []
        stage.worker.start()
        assert until(watch, BY_WORKER, fires=False, seconds=100) == []
        assert stage.prometheus.unhealthy_rules() == []
