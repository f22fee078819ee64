"""The catalogue: names as Prometheus has them, labels that are closed, and a page that says the same."""

import re

from app.graphql.operations import OPERATION_KINDS, Ending
from app.metrics.catalogue import (
    GRAPHQL_OPERATIONS,
    HTTP_REQUESTS,
    METRICS,
    WORKER_RUNS,
    Kind,
    Process,
    metrics_of,
)
from docs.metrics import FILE, rendered

UNITS = ("seconds", "bytes", "clients", "events", "connections", "erasures", "timestamp_seconds")


def test_names_are_as_prometheus_has_them():
    for name, metric in METRICS.items():
        assert re.fullmatch(r"partwise(_[a-z]+)+", name)
        assert name.endswith("_total") == (metric.kind is Kind.COUNTER), name
        assert name.endswith("_info") == (metric.kind is Kind.INFO), name
        assert not name.endswith(("_count", "_sum", "_bucket", "_created")), name
        # Those begin the names of a tenant's own series.
        assert not name.startswith(("partwise_portfolio_", "partwise_client_")), name
        assert metric.kind is not Kind.HISTOGRAM or name.endswith(UNITS), name
        assert metric.help.endswith(".")
        assert "\n" not in metric.help


def test_buckets_are_in_order_and_only_histograms_have_them():
    for metric in METRICS.values():
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name


def test_labels_are_closed_and_are_no_name_of_anybody():
    forbidden = {
        "tenant",
        "tenant_id",
        "client",
        "client_id",
        "key",
        "key_id",
        "user",
        "path",
        "id",
        "instance",
        "job",
        "le",
    }
    for metric in METRICS.values():
        for label in metric.labels:
            assert label.name not in forbidden, metric.name
            assert bool(label.values) != bool(label.told), (metric.name, label.name)
            assert len(set(label.values)) == len(label.values)


def test_each_process_has_its_own():
    server, worker = ({one.name for one in metrics_of(process)} for process in Process)
    assert server | worker == set(METRICS)
    assert {HTTP_REQUESTS.name} <= server - worker
    assert {WORKER_RUNS.name} <= worker - server


def test_graphql_has_the_same_values():
    kinds, outcomes = (set(label.values) for label in GRAPHQL_OPERATIONS.labels)
    assert kinds == set(OPERATION_KINDS)
    assert outcomes == set(Ending)


def test_the_page_says_the_same():
    page = FILE.read_text()
    assert rendered(page) == page, "run `python -m docs.metrics`"
    told = set(re.findall(r"partwise_[a-z_]+", page))
    known = set(METRICS) | {f"{name}{end}" for name in METRICS for end in ("_bucket", "_count", "_sum")}
    assert told - known == set()
