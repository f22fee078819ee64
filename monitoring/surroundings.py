"""Where the rules are to work, and how PromQL names what is there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["DAY", "HOUR", "MINUTE", "SERVER", "WORKER", "Surroundings", "duration"]

SERVER: Final = "partwise-server"
"""The value of `job` on what servers expose."""
WORKER: Final = "partwise-worker"
"""The value of `job` on what workers expose."""
MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True)
class Surroundings:
    """What a Prometheus, and whoever is on call, have that this folder cannot know.

    Attributes:
        runbooks: what comes before `#` and the name of an alert.
        matchers: labels that tell our series from those of another Partwise in the same Prometheus.
        windows: what all windows and waits are multiplied by; less than 1 lets the same alerts fire sooner.
        least: seconds that a window has nevertheless, as it needs some samples.
        least_wait: seconds that something has to be so nevertheless, as a single scrape may come too late.
        ages: what all ages that are still good are multiplied by; how soon an age is seen, workers decide.
    """

    runbooks: str = "docs/operations.md"
    matchers: Mapping[str, str] = field(default_factory=dict)
    windows: float = 1.0
    least: float = 0.0
    least_wait: float = 0.0
    ages: float = 1.0

    def series(self, name: str, *conditions: str, **labels: str) -> str:
        """A selector of a metric: by labels that are equal, and by other conditions as they are written."""
        equal = [f'{label}="{value}"' for label, value in {**labels, **self.matchers}.items()]
        inside = ", ".join([*equal, *conditions])
        return f"{name}{{{inside}}}" if inside else name

    def window(self, seconds: float) -> str:
        """How PromQL writes so long a window."""
        return duration(self.seconds(seconds))

    def seconds(self, window: float) -> float:
        """How many seconds a window is."""
        return max(window * self.windows, self.least)

    def wait(self, seconds: float) -> str:
        """How PromQL writes for how long something has to be so."""
        return duration(max(seconds * self.windows, self.least_wait))

    def age(self, seconds: float) -> float:
        """How old something may become that may become so old."""
        return seconds * self.ages


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them: 90s, 5m, 1h, 3d."""
    whole = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}ms" if whole else "0s"
