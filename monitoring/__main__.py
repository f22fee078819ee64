"""Write monitoring/generated anew: python -m monitoring."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from monitoring.operations import operations
from monitoring.panels import as_json
from monitoring.portfolios import portfolios
from monitoring.rules import in_kubernetes, rule_groups, written
from monitoring.surroundings import Surroundings

__all__ = ["GENERATED", "files", "write"]

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
    """Write all files, and remove those that are none of them any more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = files(at)
    for stray in set(folder.iterdir()) - {folder / name for name in wanted}:
        stray.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(GENERATED, Surroundings())
