"""Prometheus' own tool, and unit tests of alerts as it reads them."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitoring.alert import anchor
from monitoring.surroundings import MINUTE, duration
from tests.prometheus import program

__all__ = ["Case", "Fired", "case_file", "counter", "gauge", "promtool"]


def promtool(*arguments: str) -> str:
    """Run it, to its success; what it prints.

    Raises:
        AssertionError: it found something, or is not there.
    """
    done = subprocess.run([program("promtool"), *arguments], check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Fired:
    """That an alert fires: what its description says, and the labels of what it is about."""

    description: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What is scraped once a minute, and what an alert makes of it.

    Attributes:
        alert: its name.
        says: what is the case.
        series: samples by series.
        fires: in which minutes it fires, and as what.
        quiet: in which minutes it does not.
    """

    alert: str
    says: str
    series: Mapping[str, str]
    quiet: Sequence[float]
    fires: Mapping[float, Sequence[Fired]] = field(default_factory=dict)

    def as_test(self, summary: str, severity: str) -> dict[str, Any]:
        """It as promtool reads it."""
        expected: dict[float, Sequence[Fired]] = dict.fromkeys(self.quiet, ()) | dict(self.fires)
        return {
            "name": self.says,
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [
                {
                    "alertname": self.alert,
                    "eval_time": duration(minute * MINUTE),
                    "exp_alerts": [
                        {
                            "exp_labels": {"severity": severity, "service": "partwise", **one.labels},
                            "exp_annotations": {
                                "summary": summary,
                                "description": one.description,
                                "runbook_url": f"docs/operations.md#{anchor(self.alert)}",
                            },
                        }
                        for one in fired
                    ],
                }
                for minute, fired in sorted(expected.items())
            ],
        }


def case_file(rules: Path, tests: Sequence[dict[str, Any]], every: str = "30s") -> str:
    """A file of tests for `promtool test rules`, with how often rules are evaluated."""
    return yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": every, "tests": list(tests)})


def gauge(*parts: tuple[int, float]) -> str:
    """Samples that stay: minutes and their value, one after the other."""
    return " ".join(f"{value:g}+0x{minutes - 1}" for minutes, value in parts)


def counter(*parts: tuple[int, float], begin: float = 0.0) -> str:
    """Samples that grow: minutes and how much a minute, one after the other."""
    found, value = [f"{begin:g}"], begin
    for minutes, more in parts:
        found.append(f"{value + more:g}+{more:g}x{minutes - 1}")
        value += minutes * more
    return " ".join(found)
