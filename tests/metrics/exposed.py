"""What a process exposes, read by the library's own strict parser."""

from dataclasses import dataclass
from typing import Self

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

__all__ = ["OPENMETRICS", "Exposed"]

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Exposed:
    """The series of one process."""

    series: dict[Series, float]
    kinds: dict[str, str]

    @classmethod
    async def of(cls, http: httpx.AsyncClient) -> Self:
        """Ask for it."""
        return cls.read((await http.get("/metrics", headers={"Accept": OPENMETRICS})).raise_for_status().text)

    @classmethod
    def read(cls, text: str, *, openmetrics: bool = True) -> Self:
        """Read a text."""
        families = list((parse_openmetrics if openmetrics else parse_plain)(text))
        series = {}
        for family in families:
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in series, key
                series[key] = sample.value
        return cls(series, {family.name: family.type for family in families})

    def __getitem__(self, name: str) -> float:
        """The value of `name` or `name{label="value",…}`."""
        metric, _, labels = name.partition("{")
        pairs = frozenset(
            (label, value.strip('"'))
            for label, _, value in (one.partition("=") for one in labels.rstrip("}").split(",") if one)
        )
        return self.series[metric, pairs]

    def grown(self, before: "Exposed") -> dict[str, float]:
        """What has grown since, of our own, without buckets, sums and what goes on by itself."""
        found = {}
        for (name, labels), value in self.series.items():
            rest = value - before.series.get((name, labels), 0.0)
            if rest and name.startswith("partwise_") and not name.endswith(("_bucket", "_sum")):
                told = ",".join(f'{label}="{one}"' for label, one in sorted(labels))
                found[f"{name}{{{told}}}" if told else name] = rest
        return found
