"""A real Prometheus over real processes: nothing fires while all is well, and two faults fire what they should."""

import time

import pytest

from monitoring.surroundings import Surroundings
from tests.monitoring.dashboards import questions
from tests.monitoring.load import loaded
from tests.monitoring.proof import Watch, until
from tests.monitoring.stage import staged

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

AT = Surroundings(windows=1 / 100, least=5.0, ages=1 / 20)
GOOD_SECONDS = 10.0
"""Long enough for each window to have samples; what may fire by mistake does so at once."""
BY_POSTGRES = ("PartwiseDatabaseAway",)
BY_WORKER = ("PartwiseNoWorker", "PartwiseTargetDown")


def test_two_faults_fire_and_end():
    with staged(AT) as stage:
        key = stage.key("live")
        with loaded([one.url for one in stage.servers], key, threads=1), Watch(stage.prometheus) as watch:
            time.sleep(GOOD_SECONDS)
            # How quick it is depends on what else the machine does.
            assert not [name for name in watch.seen if "Latency" not in name], watch.seen
            assert set(stage.prometheus.targets().values()) == {"up"}
            assert stage.prometheus.unhealthy_rules() == []
            empty = [expr for panel, expr in questions() if not stage.prometheus.query(expr) and panel.always]
            assert empty == []

            with stage.frozen_postgres():
                assert until(watch, BY_POSTGRES, fires=True, seconds=60) == []
            assert until(watch, BY_POSTGRES, fires=False, seconds=60) == []

            stage.worker.kill()
            assert until(watch, BY_WORKER, fires=True, seconds=60) == []
            stage.worker.start()
            assert until(watch, BY_WORKER, fires=False, seconds=60) == []
            assert stage.prometheus.unhealthy_rules() == []
