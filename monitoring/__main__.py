"""Write monitoring/generated anew: python -m monitoring."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from monitoring.operations import operations
from monitoring.panels import as_json
from monitoring.portfolios import portfolios
from monitoring.rules import in_kubernetes, rule_groups, written
from monitoring.surroundings import Surroundings

__all__ = ["GENERATED", "files", "main", "write"]

GENERATED: Final = Path(__file__).parent / "generated"


def files(at: Surroundings) -> Mapping[str, str]:
    """What is written, by name."""
    return {
        "rules.yaml": written(rule_groups(at)),
        "prometheusrule.yaml": written(in_kubernetes(at)),
        "operations.json": as_json(operations(at)),
        "portfolios.json": as_json(portfolios()),
    }


def write(folder: Path, at: Surroundings) -> None:
    """Write all files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(at).items():
        (folder / name).write_text(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files, for the surroundings that are named."""
    told = argparse.ArgumentParser(prog="python -m monitoring", description="Write rules, alerts and dashboards.")
    told.add_argument("--into", type=Path, default=GENERATED, help="the folder")
    told.add_argument("--runbooks", default=Surroundings.runbooks, help="the address of docs/operations.md")
    told.add_argument(
        "--match", action="append", default=[], metavar="LABEL=VALUE", help="a label that tells our series from others'"
    )
    found = told.parse_args(arguments)
    matchers = dict(one.split("=", 1) for one in found.match)
    write(found.into, Surroundings(runbooks=found.runbooks, matchers=matchers))


if __name__ == "__main__":
    main()
