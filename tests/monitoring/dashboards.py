"""What dashboards ask, as Grafana would ask it."""

import re
from collections.abc import Iterator, Sequence

from monitoring.operations import operations
from monitoring.panels import Board, Panel
from monitoring.portfolios import portfolios
from monitoring.surroundings import Surroundings

__all__ = ["BOARDS", "filled", "questions"]

BOARDS = (operations(Surroundings()), portfolios())


def filled(expr: str, rate_interval: str = "1m") -> str:
    """A query with what Grafana puts in for its variables, where all are chosen."""
    found = re.sub(r"\$(?!__)\w+", ".*", expr.replace("$__rate_interval", rate_interval))
    assert "$" not in found, found
    return found


def questions(boards: Sequence[Board] = BOARDS) -> Iterator[tuple[Panel, str]]:
    """Every query of dashboards, with its panel."""
    for board in boards:
        for panel in board.panels:
            for query in panel.queries:
                yield panel, filled(query.expr)
