"""What dashboards ask, as Grafana would ask it."""

import re
from collections.abc import Iterator

from monitoring.operations import operations
from monitoring.panels import Board, Panel
from monitoring.surroundings import Surroundings

__all__ = ["filled", "questions"]


def filled(expr: str, rate_interval: str = "1m") -> str:
    """A query with what Grafana puts in for its variables, where all are chosen."""
    found = re.sub(r"\$(?!__)\w+", ".*", expr.replace("$__rate_interval", rate_interval))
    assert "$" not in found, found
    return found


def questions(board: Board | None = None) -> Iterator[tuple[Panel, str]]:
    """Every query of a dashboard, with its panel."""
    for panel in (board or operations(Surroundings())).panels:
        for query in panel.queries:
            yield panel, filled(query.expr)
