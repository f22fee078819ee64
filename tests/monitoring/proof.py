"""Every alert is fired by a real fault, and ends: python -m tests.monitoring.proof.

A real Prometheus scrapes two servers and a worker under load. For two minutes all is well and nothing may fire. Then
one fault after the other is done and mended. All windows and waits are a hundredth of what they are in earnest.
"""

import threading
import time
from dataclasses import dataclass, field

from monitoring.rules import alerts
from monitoring.surroundings import Surroundings
from tests.monitoring.dashboards import questions
from tests.monitoring.faults import FAULTS, UNPROVEN, Fault
from tests.monitoring.load import loaded
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.stage import staged

__all__ = ["FAST", "Seen", "Watch", "proof", "until"]

FAST = Surroundings(windows=1 / 100, least=5.0, least_wait=3.0, ages=1 / 20)
"""Six hours are 216 seconds, five minutes of age are fifteen seconds; no window is shorter than five scrapes."""
GOOD_SECONDS = 120.0
FIRES_SECONDS = 120.0
ENDS_SECONDS = 400.0
DATA_SECONDS = 15.0


@dataclass
class Seen:
    """When an alert began to fire, and when it ended; in seconds of the monotonic clock."""

    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    @property
    def fires(self) -> bool:
        return len(self.begun) > len(self.ended)


class Watch:
    """Asks Prometheus four times a second which alerts fire, for as long as the block lasts."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = Prometheus(prometheus.url)
        self.seen: dict[str, Seen] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *of: object) -> None:
        self._ended.set()
        self._thread.join(30)
        self._prometheus.close()

    def fires(self, name: str) -> bool:
        return name in self.seen and self.seen[name].fires

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            firing, now = self._prometheus.firing(), time.monotonic()
            for name in firing:
                one = self.seen.setdefault(name, Seen())
                if not one.fires:
                    one.begun.append(now)
            for name, one in list(self.seen.items()):
                if one.fires and name not in firing:
                    one.ended.append(now)


def until(watch: Watch, names: tuple[str, ...], *, fires: bool, seconds: float) -> list[str]:
    """Wait until all of these fire, or none; which do not after so many seconds."""
    deadline = time.monotonic() + seconds
    while left := [name for name in names if watch.fires(name) != fires]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


@dataclass
class _Done:
    fault: Fault
    begun: float
    mended: float


def proof() -> list[str]:
    """Do it all; the lines of the report.

    Raises:
        AssertionError: an alert did not fire, did not end, or fired while all was well.
    """
    wanted = {one.name for one in alerts(FAST)}
    proven = {name for fault in FAULTS for name in fault.fires}
    assert proven | set(UNPROVEN) == wanted, wanted ^ (proven | set(UNPROVEN))
    lines, wrong = [], []
    began = time.monotonic()
    with staged(FAST) as stage:
        with loaded([one.url for one in stage.servers], stage.key) as load, Watch(stage.prometheus) as watch:
            time.sleep(GOOD_SECONDS)
            fired = sorted(watch.seen)
            wrong += [f"{name} fired while all was well" for name in fired]
            assert set(stage.prometheus.targets().values()) == {"up"}
            wrong += stage.prometheus.unhealthy_rules()
            told, missing = _dashboards(stage.prometheus)
            wrong += missing
            lines.append(
                f"{GOOD_SECONDS:.0f} s under load, {sum(load.answers.values()):,} requests {dict(load.answers)}: "
                f"{len(stage.prometheus.targets())} targets up, fired: {', '.join(fired) or 'nothing'}; {told}"
            )
            done: list[_Done] = []
            for fault in FAULTS:
                begun = time.monotonic()
                with fault.harm(stage):
                    quiet = until(watch, fault.fires, fires=True, seconds=FIRES_SECONDS)
                    wrong += [f"{name} does not fire: {fault.says}" for name in quiet]
                done.append(_Done(fault, begun, time.monotonic()))
                print(
                    f"{time.monotonic() - began:6.1f} s  {fault.says}; quiet: {', '.join(quiet) or 'none'}", flush=True
                )
                # The next one is to find all well, but for what takes long to end.
                quick = tuple(name for name in fault.fires if "Burns" not in name)
                until(watch, quick, fires=False, seconds=60)
            never = until(watch, tuple(sorted(wanted)), fires=False, seconds=ENDS_SECONDS)
            wrong += [f"{name} does not end" for name in never]
            wrong += stage.prometheus.unhealthy_rules()
            lines += _table(done, watch)
            lines.append(f"{time.monotonic() - began:.0f} s in all; answers {dict(load.answers)}")
        if wrong:
            print("\n".join(lines))
            for member in (*stage.servers, stage.worker):
                print(f"--- {member.name}\n{member.output()[-3000:]}")
    assert not wrong, "\n".join(wrong)
    return lines


def _dashboards(prometheus: Prometheus) -> tuple[str, list[str]]:
    """Ask everything that dashboards ask; what has no data though it must."""
    asked = list(questions())
    deadline = time.monotonic() + DATA_SECONDS
    while True:
        missing = [
            f"no data for {panel.title}: {expr}" for panel, expr in asked if not prometheus.query(expr) and panel.always
        ]
        # A scrape that came too late leaves a gap of a second.
        if not missing or time.monotonic() > deadline:
            return f"{len(asked)} queries of dashboards evaluated", missing
        time.sleep(0.5)


def _table(done: list[_Done], watch: Watch) -> list[str]:
    lines = [
        "",
        "| alert | fault | seconds until it fires | seconds until it ends |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {one.fault.says} | {_figures(name, one, done, watch)} |"
        for one in done
        for name in one.fault.fires
    ]
    lines += [f"| {name} | none: {why} | | |" for name, why in UNPROVEN.items()]
    return [*lines, ""]


def _figures(name: str, one: _Done, done: list[_Done], watch: Watch) -> str:
    seen = watch.seen.get(name, Seen())
    begun = next((at for at in seen.begun if at >= one.begun - 0.5), None)
    told = "never" if begun is None else f"{begun - one.begun:.1f}"
    if begun is None and any(at < one.begun for at in seen.begun):
        # An earlier fault, or the load, had fired it.
        told, begun = "fired already", one.begun
    # A later fault of the same kind keeps it firing: it ends after the last of them.
    mended = max(each.mended for each in done if each is one or _keeps(name, each.fault))
    ends = [at for at in seen.ended if begun is not None and at > begun]
    ended = next((at for at in ends if at > mended), ends[-1] if ends else None)
    return f"{told} | " + ("never" if ended is None else f"{max(0.0, ended - mended):.1f}")


def _keeps(name: str, fault: Fault) -> bool:
    if "Freshness" in name:
        return fault.stales
    return "Burns" in name and fault.errs


if __name__ == "__main__":
    for line in proof():
        print(line)
