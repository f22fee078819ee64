"""Dashboards as tables of panels, and how they become what Grafana reads."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = ["Board", "Look", "Panel", "Query", "Row", "Variable", "as_json"]

_DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")


class Look(Enum):
    """How a panel shows what it finds."""

    LINES = auto()
    NUMBER = auto()
    TABLE = auto()


@dataclass(frozen=True)
class Query:
    """One query, and how its series are named: `{{label}}` for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: what is shown.
        says: what it means, and from where on it is bad.
        queries: what is asked.
        unit: Grafana's name of it.
        look: how it is shown.
        width: of 24.
        bad_from: from this value on it is red; None where no value is bad.
        always: whether it has data whenever servers and workers are asked for something.
        below_zero: whether values below 0 mean something.
    """

    title: str
    says: str
    queries: Sequence[Query]
    unit: str = "short"
    look: Look = Look.LINES
    width: int = 8
    bad_from: float | None = None
    always: bool = True
    below_zero: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Variable:
    """What can be chosen at the top: values of a label of a series, and what stands for all of them."""

    name: str
    title: str
    series: str
    label: str
    is_one: bool = False


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    says: str
    variables: Sequence[Variable]
    rows: Sequence[Row]
    since: str = "now-6h"
    refresh: str = "30s"

    @property
    def panels(self) -> list[Panel]:
        """All panels, from the top."""
        return [panel for row in self.rows for panel in row.panels]


def as_json(board: Board) -> str:
    """A dashboard as Grafana imports it."""
    built = dashboard_builders.Dashboard(board.title).uid(board.uid).description(board.says).tags(["partwise"])
    built.time(board.since, "now").refresh(board.refresh).timezone("browser").readonly()
    built.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    built.with_variable(dashboard_builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    for variable in board.variables:
        built.with_variable(_variable(variable))
    number = 0
    for row in board.rows:
        number += 1
        built.with_row(dashboard_builders.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel, number))
    # Keys in one order, whatever that of the library.
    return (
        json.dumps(json.loads(JSONEncoder().encode(built.build())), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


def _variable(variable: Variable) -> dashboard_builders.QueryVariable:
    asked = f"label_values({variable.series}, {variable.label})"
    built = dashboard_builders.QueryVariable(variable.name).label(variable.title).query(asked).definition(asked)
    built.datasource(_DATASOURCE).refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    built.sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    if not variable.is_one:
        built.multi(True).include_all(True).all_value(".*")
        built.current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    return built


def _panel(panel: Panel, number: int) -> Any:
    makers: dict[Look, Callable[[Panel], Any]] = {Look.LINES: _lines, Look.NUMBER: _figure, Look.TABLE: _table}
    built = makers[panel.look](panel)
    built.id(number).title(panel.title).description(panel.says).datasource(_DATASOURCE).unit(panel.unit)
    built.span(panel.width).height(4 if panel.look is Look.NUMBER else 8).thresholds(_thresholds(panel.bad_from))
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        asked = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(_DATASOURCE)
        asked.legend_format(query.legend or "__auto")
        if panel.look is Look.LINES:
            asked.range()
        else:
            asked.instant()
        if panel.look is Look.TABLE:
            asked.format(PromQueryFormat.TABLE)
        built.with_target(asked)
    return built


def _lines(panel: Panel) -> timeseries.Panel:
    built = timeseries.Panel().fill_opacity(8).line_width(1).show_points(common.VisibilityMode.NEVER)
    if not panel.below_zero:
        built.min(0)
    legend = common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    built.legend(legend.display_mode(common.LegendDisplayMode.LIST))
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    built.tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    if panel.bad_from is not None:
        style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        built.thresholds_style(style)
    return built


def _figure(panel: Panel) -> stat.Panel:
    del panel
    reduced = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().graph_mode(common.BigValueGraphMode.NONE).reduce_options(reduced)


def _table(panel: Panel) -> table.Panel:
    del panel
    hidden = {"excludeByName": {"Time": True, "__name__": True, "job": True, "instance": True}}
    return table.Panel().with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=hidden))


def _thresholds(bad_from: float | None) -> dashboard_builders.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color="green")]
    if bad_from is not None:
        steps.append(dashboard.Threshold(value=bad_from, color="red"))
    return dashboard_builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
