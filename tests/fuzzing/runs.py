"""Fuzzes a real server: `make fuzz` for some minutes with new draws, the tests for some cases that are always the same.

Schemathesis takes all operations of both APIs, with all its checks and phases; every exception is in rest.toml and
graphql.toml beside this file. The decoder of events is fuzzed by itself, without HTTP around it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.fuzzing.world import World, made
from tests.service import Service, running

__all__ = ["FUZZED", "GRAPHQL", "REST", "Outcome", "Target", "run"]

# Requests with keys that do not count are a part of it, and all come from one address.
FUZZED: Final = {
    "PARTWISE_FAILED_ATTEMPTS": "1000000000",
    "PARTWISE_RATE_LIMITS": "off",
    "PARTWISE_CHANGES_WAIT": "0.1",
}
HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]


@dataclass(frozen=True)
class Target:
    """One API as Schemathesis sees it."""

    name: str
    config: str
    phases: tuple[str, ...]
    """Those that it has for such an API."""

    def location(self, service: Service) -> list[str]:
        """Where its schema is, and where it is served."""
        if self.name == "REST":
            return [f"{service.url}/openapi.json"]
        return [str(ROOT / "openapi" / "schema.graphql"), "--url", f"{service.url}/graphql"]


REST: Final = Target("REST", "rest.toml", ("examples", "coverage", "fuzzing", "stateful"))
GRAPHQL: Final = Target("GraphQL", "graphql.toml", ("fuzzing",))


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        ok: whether nothing failed, and no operation was left out of it.
        report: as Schemathesis writes it.
        output: what it printed.
    """

    target: Target
    ok: bool
    report: dict[str, Any]
    output: str

    @property
    def line(self) -> str:
        """It in one line."""
        cases, operations = self.report["test_cases"], self.report["operations"]
        phases = ", ".join(f"{name} {self.report['phases'][name]['status']}" for name in self.target.phases)
        return (
            f"{self.target.name}: {cases['generated']:,} cases to {operations['tested']} of {operations['total']}"
            f" operations in {self.report['running_time']:.0f} s; {cases['unique_failures']} failures,"
            f" {cases['errored']} errors ({phases}); seed {self.report['seed']}"
        )

    @property
    def unreached(self) -> list[str]:
        """Operations that took nothing of what was sent."""
        rates = self.report["valid_rates"].items()
        return [name for name, phases in rates if not any(phase["accepted"] for phase in phases.values())]


def run(target: Target, service: Service, world: World, folder: Path, *options: str, limit: float) -> Outcome:
    """Let Schemathesis loose on a server, for at most so many seconds."""
    report = folder / f"{target.name}.json"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={HERE / target.config}",
            "run",
            *target.location(service),
            f"--phases={','.join(target.phases)}",
            "--continue-on-failure",
            "--no-color",
            "--report=json",
            f"--report-json-path={report}",
            *options,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FUZZ_AUTH": str(world.written(folder)),
            "FUZZ_KEY": world.keys["ours"],
            "FUZZ_KEY_IDS": " ".join(world.ids),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=limit,
    )
    if not report.exists():
        raise RuntimeError(done.stdout[-3000:])
    found = json.loads(report.read_text())
    operations = found["operations"]
    whole = operations["tested"] == operations["selected"] == operations["total"] > 0
    return Outcome(target, done.returncode == 0 and whole, found, done.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz everything, and print a summary."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=int, default=600, help="how long, all together")
    parser.add_argument("--seed", type=int, default=None, help="of another run, to have the same draws again")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    rest, graphql = round(given.seconds * 0.6), round(given.seconds * 0.25)
    decoder = given.seconds - rest - graphql
    outcomes = []
    with running(**FUZZED) as service, tempfile.TemporaryDirectory(prefix="partwise-fuzz-") as folder:
        world, memory = made(service), service.memory()
        for target, seconds in ((REST, rest), (GRAPHQL, graphql)):
            print(f"{target.name}, {seconds} s …", flush=True)
            options = [f"--max-time={max(seconds, 1)}", f"--seed={seed}"]
            outcome = run(target, service, world, Path(folder), *options, limit=seconds + 300)
            outcomes.append(outcome)
            print(outcome.output if not outcome.ok else outcome.output[outcome.output.rfind("= SUMMARY") :], flush=True)
        grown = service.memory() - memory
        errors = Counter(line.split()[2] for line in service.output().splitlines() if " ERROR " in line)
    print(f"Decoder, {decoder} s …", flush=True)
    told = subprocess.run(
        [sys.executable, "-m", "tests.fuzzing.decoder", f"--seconds={decoder}", f"--seed={seed}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=decoder + 120,
    )
    print(told.stdout)
    print("Summary")
    for outcome in outcomes:
        print(f"  {outcome.line}")
        if outcome.unreached:
            print(f"    took nothing of what was sent: {', '.join(outcome.unreached)}")
    lines = [line for line in told.stdout.splitlines() if line.startswith("decoder: ")]
    print("".join(f"  {line}\n" for line in lines or ["the decoder failed, see above"]), end="")
    print(f"  server: memory {grown / 2**20:+.0f} MiB, lines of errors in its log: {sum(errors.values())}")
    failed = not all(outcome.ok for outcome in outcomes) or told.returncode != 0 or sum(errors.values()) > 0
    print(f"  {'FAILED' if failed else 'nothing failed'}; the same draws again: make fuzz FUZZ_SEED={seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
