"""What an alert is made of."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitoring.surroundings import Surroundings

__all__ = ["Alert", "Severity", "anchor", "number"]


class Severity(StrEnum):
    """Whom an alert reaches."""

    PAGE = "page"
    """Somebody is woken: clients notice it now, or will soon."""
    TICKET = "ticket"
    """Somebody looks at it in working hours."""


@dataclass(frozen=True)
class Alert:
    """An alert; its runbook is the section of its name in docs/operations.md.

    Attributes:
        name: as on-call reads it.
        severity: whom it reaches.
        expr: what is the case, in PromQL.
        summary: one line without values, so that alerts can be grouped by it.
        description: what is seen, with the value.
        lasts: for how many seconds it has to be the case, in earnest.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    lasts: float = 0.0

    def rule(self, at: Surroundings) -> dict[str, Any]:
        """It as Prometheus reads it."""
        rule: dict[str, Any] = {"alert": self.name, "expr": self.expr}
        if self.lasts:
            rule["for"] = at.wait(self.lasts)
        return {
            **rule,
            "labels": {"severity": self.severity.value, "service": "partwise"},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{at.runbooks}#{anchor(self.name)}",
            },
        }


def anchor(name: str) -> str:
    """The anchor of the section that has an alert's name as its heading."""
    return name.lower()


def number(value: float) -> str:
    """A number as PromQL reads it, without the tail that binary fractions leave."""
    return f"{value:.10g}"
