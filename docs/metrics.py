"""Writes the table of docs/metrics.md from the catalogue: `python -m docs.metrics`."""

from pathlib import Path

from app.metrics.catalogue import METRICS, Kind, Metric, Process

FILE = Path(__file__).with_name("metrics.md")
BEGIN, END = "<!-- The table is written by `python -m docs.metrics`. -->\n", "<!-- Its end. -->\n"
_PROCESSES = {frozenset(Process): "both", frozenset({Process.SERVER}): "server", frozenset({Process.WORKER}): "worker"}


def _labels(metric: Metric) -> str:
    return "<br>".join(
        f"`{label.name}`: {label.told or ', '.join(f'`{value}`' for value in label.values)}" for label in metric.labels
    )


def _kind(metric: Metric) -> str:
    if metric.kind is not Kind.HISTOGRAM:
        return metric.kind.value
    return f"histogram: {', '.join(f'{bound:.10g}' for bound in metric.buckets)}"


def table() -> str:
    """The table, by what counts it."""
    lines = ["| metric | kind | labels | what | counted by |", "|---|---|---|---|---|"]
    for metric in METRICS.values():
        told = (f"`{metric.name}`", _kind(metric), _labels(metric), metric.help, _PROCESSES[metric.processes])
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def rendered(page: str) -> str:
    """A page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    FILE.write_text(rendered(FILE.read_text()))
