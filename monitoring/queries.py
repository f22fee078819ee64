"""Pieces of the queries of dashboards."""

from typing import Final

from monitoring.panels import Query
from monitoring.surroundings import SERVER, WORKER, Surroundings

__all__ = ["OURS", "RATE", "both", "by", "quantiles", "rate", "server", "worker"]

RATE: Final = "$__rate_interval"
OURS: Final = f'job=~"{SERVER}|{WORKER}"'
_INSTANCE: Final = 'instance=~"$instance"'


def server(at: Surroundings, name: str, *conditions: str, **labels: str) -> str:
    """A series of the servers that are chosen."""
    return at.series(name, _INSTANCE, *conditions, job=SERVER, **labels)


def worker(at: Surroundings, name: str, *conditions: str, **labels: str) -> str:
    """A series of the workers that are chosen."""
    return at.series(name, _INSTANCE, *conditions, job=WORKER, **labels)


def both(at: Surroundings, name: str, *conditions: str, **labels: str) -> str:
    """A series of all processes that are chosen."""
    return at.series(name, _INSTANCE, OURS, *conditions, **labels)


def rate(series: str) -> str:
    """How much a counter grows a second."""
    return f"rate({series}[{RATE}])"


def quantiles(series: str) -> list[Query]:
    """The median and the slowest in a hundred of a histogram's buckets."""
    summed = f"sum by (le) ({rate(series)})"
    return [Query(f"histogram_quantile({share}, {summed})", name) for share, name in ((0.5, "p50"), (0.99, "p99"))]


def by(label: str, series: str) -> list[Query]:
    """How much counters grow a second, by a label."""
    return [Query(f"sum by ({label}) ({rate(series)})", f"{{{{{label}}}}}")]
