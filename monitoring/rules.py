"""All rules, as Prometheus reads them from a file and its operator from Kubernetes."""

from collections.abc import Mapping
from typing import Any

import yaml

from monitoring.alert import Alert
from monitoring.slos import INTERVAL, burn_alerts, records
from monitoring.surroundings import Surroundings, duration
from monitoring.symptoms import symptoms

__all__ = ["alerts", "in_kubernetes", "rule_groups", "written"]


def alerts(at: Surroundings) -> list[Alert]:
    """All alerts."""
    return [*symptoms(at), *burn_alerts(at)]


def rule_groups(at: Surroundings) -> dict[str, Any]:
    """What a rule file holds."""
    interval = duration(INTERVAL * at.windows)
    groups: Mapping[str, list[dict[str, Any]]] = {
        # Rules of a group are evaluated in order, so alerts see what was recorded in the same moment.
        "partwise-slos": [*records(at), *(one.rule(at) for one in burn_alerts(at))],
        "partwise-symptoms": [one.rule(at) for one in symptoms(at)],
    }
    return {"groups": [{"name": name, "interval": interval, "rules": rules} for name, rules in groups.items()]}


def in_kubernetes(at: Surroundings) -> dict[str, Any]:
    """The same as a resource of the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "partwise", "labels": {"app.kubernetes.io/name": "partwise"}},
        "spec": rule_groups(at),
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def written(content: Mapping[str, Any]) -> str:
    """Content as YAML, in the order in which it was put together."""
    note = "# Written by `make monitoring`; change monitoring/*.py instead.\n"
    return note + yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, width=160, allow_unicode=True)
