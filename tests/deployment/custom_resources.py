"""Reads YAML from stdin and holds objects of the Prometheus Operator to its types; run by the Python of .venv-ops."""

import sys
from typing import Any

import yaml
from cloudcoil.models.prometheus_operator import v1
from pydantic import ValidationError


def unknown(given: object, known: object, path: str = "") -> list[str]:
    """What was given and is not in what was understood."""
    if isinstance(given, dict) and isinstance(known, dict):
        lost = [f"{path}/{name}" for name in given if name not in known]
        return lost + [
            one for name in given if name in known for one in unknown(given[name], known[name], f"{path}/{name}")
        ]
    if isinstance(given, list) and isinstance(known, list):
        return [one for n, (a, b) in enumerate(zip(given, known, strict=True)) for one in unknown(a, b, f"{path}/{n}")]
    return []


def faults_of(given: dict[str, Any]) -> list[str]:
    """What is wrong with one object."""
    try:
        understood = getattr(v1, given["kind"]).model_validate(given)
    except ValidationError as error:
        return [f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    known = understood.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return [f"{path}: unknown" for path in unknown(given, known)]


def main() -> int:
    faults = [
        f"{given['kind']} {given['metadata']['name']}: {fault}"
        for given in yaml.safe_load_all(sys.stdin)
        for fault in faults_of(given)
    ]
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
