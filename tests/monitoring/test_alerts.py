"""Prometheus' own tool reads the rules, and says when each alert fires, when it does not, and when it ends."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.__main__ import GENERATED
from monitoring.alert import Alert, Severity
from monitoring.rules import alerts
from monitoring.surroundings import Surroundings
from tests.monitoring.faults import FAULTS, UNPROVEN
from tests.monitoring.promise_cases import PROMISE_CASES
from tests.monitoring.promtool import Case, case_file, promtool
from tests.monitoring.symptom_cases import SYMPTOM_CASES

CASES = (*SYMPTOM_CASES, *PROMISE_CASES)
ALERTS = {one.name: one for one in alerts(Surroundings())}
RULES = GENERATED / "rules.yaml"


def test_rules_can_be_read():
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


@pytest.mark.parametrize("name", ALERTS)
def test_fires_and_ends(name: str, tmp_path: Path):
    alert = ALERTS[name]
    cases = [case for case in CASES if case.alert == name]
    path, rules = tmp_path / "tests.yaml", tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(needed_by(alert)))
    tests = [case.as_test(alert.summary, alert.severity.value) for case in cases]
    path.write_text(case_file(rules, tests, _every(name)))
    promtool("test", "rules", str(path))


def needed_by(alert: Alert) -> dict[str, Any]:
    """The rules that an alert rests on, and its own: all of them would take minutes."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    found = []
    for group in groups:
        rules = [
            rule
            for rule in group["rules"]
            if rule.get("alert") == alert.name
            or ("record" in rule and f'slo="{rule["labels"].get("slo", "freshness")}"' in alert.expr)
        ]
        found.append({**group, "rules": rules})
    return {"groups": found}


def _every(name: str) -> str:
    """How often rules are evaluated: of days less often, or it takes minutes."""
    if name.endswith("BurnsSlowly"):
        return "5m"
    return "1m" if name.endswith("LatencyBurnsFast") else "30s"


@pytest.mark.parametrize("name", ALERTS)
def test_is_tested_from_both_sides(name: str):
    """That it fires, that it did not before, that it ends; and that something like it, or a little less, is quiet."""
    cases = [case for case in CASES if case.alert == name]

    def both(case: Case) -> bool:
        return bool(case.fires) and min(case.quiet) < min(case.fires) and max(case.quiet) > max(case.fires)

    def ends(case: Case) -> bool:
        return bool(case.fires) and max(case.quiet) > max(case.fires)

    assert any(both(case) for case in cases) or (name.endswith("Slowly") and any(ends(case) for case in cases))
    assert any(not case.fires for case in cases)


def test_cases_are_of_alerts_that_there_are():
    assert {case.alert for case in CASES} == set(ALERTS)


def test_each_is_proven_by_a_fault_or_says_why_it_cannot_be():
    proven = [name for fault in FAULTS for name in fault.fires]
    assert sorted([*proven, *UNPROVEN]) == sorted(ALERTS)


def test_alerts_say_what_they_are_about():
    assert len(ALERTS) == len(alerts(Surroundings()))
    for one in ALERTS.values():
        assert one.severity in Severity
        assert one.name.startswith("Partwise")
        # A summary is what alerts are grouped by: it has no values.
        assert "{{" not in one.summary
        assert one.description.endswith(".")


def test_a_failing_case_fails(tmp_path: Path):
    """That promtool is asked what it is meant to be asked."""
    case = next(case for case in CASES if case.alert == "PartwiseDatabaseAway" and not case.fires)
    wrong = Case(case.alert, case.says, dict.fromkeys(case.series, "0+0x30"), quiet=[10])
    path = tmp_path / "tests.yaml"
    path.write_text(case_file(RULES, [wrong.as_test("", "page")]))
    with pytest.raises(AssertionError, match="PartwiseDatabaseAway"):
        promtool("test", "rules", str(path))
