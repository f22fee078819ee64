"""Rules and dashboards ask for nothing that is not counted: every metric, label and value is in the catalogue."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from app.cli.openapi import document_of_the_code
from app.metrics.catalogue import METRICS, Kind, Metric, Process
from app.rest.problem_types import PROBLEM_TYPES
from app.wire.portfolio_metrics import SERIES
from monitoring.rules import rule_groups
from monitoring.surroundings import SERVER, WORKER, Surroundings
from tests.monitoring.dashboards import BOARDS, filled, questions

HERE = Surroundings()
RULES = [rule for group in rule_groups(HERE)["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: set(rule["labels"]) for rule in RULES if "record" in rule}
OF_PROMETHEUS = {"up": set[str](), "ALERTS": {"alertname", "alertstate", "severity", "service"}}
OF_ANY_PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
OF_TENANTS = {one.shown_as: {*one.labels} | ({"le"} if one.kind == "gaugehistogram" else set()) for one in SERIES}
"""What GET /v1/metrics shows."""
TARGET = {"job", "instance"}
ROUTES = {*document_of_the_code()["paths"], "/graphql", "unmatched"}
SETTLED_AT_START = {"route": ROUTES, "type": set(PROBLEM_TYPES)}
"""The values of labels that the catalogue takes from other tables."""
JOBS = {SERVER: Process.SERVER, WORKER: Process.WORKER}


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel, expr in questions():
        yield panel.title, expr


def metric_of(name: str) -> tuple[Metric | None, set[str]]:
    """A metric of the catalogue by the name of one of its series, and the labels that the series has."""
    for suffix, more in (("", set()), ("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
        found = METRICS.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if found is not None and (found.kind is Kind.HISTOGRAM) == bool(suffix):
            return found, {one.name for one in found.labels} | more
    return None, set()


def labels_of(name: str) -> set[str]:
    """The labels that a series has; none is unknown."""
    if name in OF_PROMETHEUS or name in RECORDED:
        return OF_PROMETHEUS.get(name, set()) | RECORDED.get(name, set()) | TARGET
    if name in OF_ANY_PROCESS:
        return TARGET
    if name in OF_TENANTS:
        return OF_TENANTS[name] | TARGET
    found, labels = metric_of(name)
    assert found is not None, f"there is no metric {name}"
    return labels | TARGET


def values_of(metric: Metric, label: str) -> set[str]:
    if label == "le":
        return {*map(str, metric.buckets), "+Inf"}
    known = next(one for one in metric.labels if one.name == label)
    return set(known.values) or SETTLED_AT_START[label]


def visited(expr: str) -> list[Any]:
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expr), pre_visit=found.append)
    return found


def selectors(expr: str) -> list[Any]:
    """All selectors of series, however they are used."""
    every = visited(expr)
    return [one for one in every if isinstance(one, promql_parser.VectorSelector)] + [
        one.vector_selector for one in every if isinstance(one, promql_parser.MatrixSelector)
    ]


def check_selector(selector: Any) -> None:
    labels = labels_of(selector.name)
    metric, _ = metric_of(selector.name)
    for matcher in selector.matchers.matchers:
        assert matcher.name in labels, f"{selector.name} has no label {matcher.name}"
        if matcher.name == "job" and selector.name not in OF_TENANTS:
            jobs = re.split(r"\|", matcher.value)
            assert set(jobs) <= set(JOBS)
            if metric is not None:
                assert any(JOBS[job] in metric.processes for job in jobs), f"{jobs} does not count {selector.name}"
        elif metric is not None and matcher.name not in TARGET:
            values = values_of(metric, matcher.name)
            is_pattern = str(matcher.op) != "MatchOp.Equal"
            fits = [one for one in values if (re.fullmatch(matcher.value, one) if is_pattern else matcher.value == one)]
            assert fits, f"{selector.name}: {matcher.name} is never {matcher.value}"


@pytest.mark.parametrize(("name", "expr"), [*expressions()])
def test_asks_for_what_is_counted(name: str, expr: str):
    found = selectors(expr)
    assert found, name
    known = set().union(*(labels_of(one.name) for one in found))
    for selector in found:
        check_selector(selector)
    for one in visited(expr):
        if isinstance(one, promql_parser.AggregateExpr) and one.modifier is not None:
            assert set(one.modifier.labels) <= known, name
        if isinstance(one, promql_parser.BinaryExpr) and one.modifier is not None and one.modifier.matching:
            assert set(one.modifier.matching.labels) <= known, name


def test_names_only_labels_that_there_are():
    for panel in (panel for board in BOARDS for panel in board.panels):
        for query in panel.queries:
            known = set().union(*(labels_of(one.name) for one in selectors(filled(query.expr))))
            assert set(re.findall(r"{{(\w+)}}", query.legend)) <= known, panel.title


@pytest.mark.parametrize(
    ("expr", "says"),
    [
        ("partwise_wishes_total", "no metric"),
        ("partwise_http_requests_total{colour='red'}", "no label"),
        ("partwise_http_requests_total{status='500'}", "never"),
        ("partwise_http_requests_total{route=~'/v9/.*'}", "never"),
        ("partwise_http_request_duration_seconds_bucket{le='0.7'}", "never"),
        ("partwise_http_request_duration_seconds", "no metric"),
        ("partwise_due_seconds{job='partwise-server'}", "does not count"),
    ],
)
def test_would_notice(expr: str, says: str):
    with pytest.raises(AssertionError, match=says):
        test_asks_for_what_is_counted("", expr)
