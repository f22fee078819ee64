"""Tallies and spreads: what is counted comes out as it went in, with examples of traces."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from app.metrics.catalogue import HTTP_SECONDS, INGEST_AGE, Process
from app.metrics.http import HttpMetrics
from app.metrics.meters import Meters
from app.metrics.tallies import Spread
from tests.metrics.exposed import Exposed

VALUES = [0.0, 0.0025, 0.003, 0.25, 0.2500001, 29.9, 30.0, 31.0, 1e6]


def test_buckets_are_those_of_the_library():
    registry = CollectorRegistry()
    theirs = Histogram("x_seconds", "X.", buckets=HTTP_SECONDS.buckets, registry=registry)
    ours = Spread(HTTP_SECONDS.buckets)
    for value in VALUES:
        theirs.observe(value)
    ours.observe_each(VALUES)
    found = Exposed.read(generate_latest(registry).decode(), openmetrics=False)
    total = 0
    for bound, count in zip([*HTTP_SECONDS.buckets, float("inf")], ours.counts, strict=True):
        total += count
        told = "+Inf" if bound == float("inf") else f"{bound}"
        assert found[f'x_seconds_bucket{{le="{told}"}}'] == total, bound
    assert found["x_seconds_sum"] == pytest.approx(ours.total)


@pytest.mark.parametrize(
    ("least", "most", "is_alike"), [(2.0, 4.9, True), (2.0, 5.0, True), (0.9, 1.1, False), (3e9, 4e9, True)]
)
def test_what_lies_in_one_bucket_is_added_at_once(least: float, most: float, is_alike: bool):
    spread = Spread(INGEST_AGE.buckets)
    assert spread.observe_alike(least, most, 10) == is_alike
    assert sum(spread.counts) == (10 if is_alike else 0)
    assert spread.total == (5 * (least + most) if is_alike else 0)


def exchange(**changes: object) -> SimpleNamespace:
    usual = {"method": "GET", "route": "/x", "status": 200, "seconds": 0.02, "problem": None, "is_stream": False}
    return SimpleNamespace(**(usual | {"trace_id": None} | changes))


def test_a_trace_that_is_kept_is_an_exemplar():
    meters = Meters(Process.SERVER, {"type": ("not-found",)})
    http = HttpMetrics(meters, {("GET", "/x")})
    for each in (exchange(), exchange(trace_id="0af7651916cd43dd8448eb211c80319c", seconds=0.3)):
        http.began(each)
        http.ended(each)
    text = meters.exposed(True).decode()
    (line,) = [one for one in text.splitlines() if "trace_id" in one]
    assert 'le="0.5"' in line
    assert line.partition(" # ")[2].startswith('{trace_id="0af7651916cd43dd8448eb211c80319c"} 0.3')
    # The library's own parser takes it, and Prometheus's own format leaves it out.
    assert Exposed.read(text)['partwise_http_request_duration_seconds_count{method="GET",route="/x"}'] == 2
    assert "trace_id" not in meters.exposed(False).decode()


@pytest.mark.parametrize(
    ("status", "told"), [(0, "5xx"), (100, "5xx"), (101, "2xx"), (304, "3xx"), (499, "4xx"), (599, "5xx")]
)
def test_each_status_is_of_a_class(status: int, told: str):
    meters = Meters(Process.SERVER, {"type": ("not-found",)})
    http = HttpMetrics(meters, {("GET", "/x")})
    http.began(exchange())
    http.ended(exchange(status=status))
    found = Exposed.read(meters.exposed(True).decode())
    assert found[f'partwise_http_requests_total{{method="GET",route="/x",status="{told}"}}'] == 1
