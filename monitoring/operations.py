"""The dashboard for ops."""

from monitoring.panels import Board, Look, Panel, Query, Row, Variable
from monitoring.queries import OURS
from monitoring.request_rows import events, graphql, requests
from monitoring.slos import SLOS, Slo
from monitoring.surroundings import Surroundings
from monitoring.work_rows import database, freshness, processes, webhooks, workers

__all__ = ["operations"]


def operations(at: Surroundings) -> Board:
    """What servers and workers do, from promises down to processes."""
    return Board(
        uid="partwise-operations",
        title="Partwise: operations",
        says="Requests, events, assessments and what they rest on. Alerts and what to do: docs/operations.md.",
        variables=[Variable("instance", "Process", at.series("partwise_build_info", OURS), "instance")],
        rows=[
            _promises(at),
            requests(at),
            graphql(at),
            events(at),
            freshness(at),
            workers(at),
            webhooks(at),
            database(at),
            processes(at),
        ],
    )


def _promises(at: Surroundings) -> Row:
    left = [
        Panel(
            f"Budget left: {slo.name}",
            f"Of the {100 * slo.budget:g} % that may be bad within 30 days, the share that is left. Below 0 the "
            f"promise is broken. Counted: {slo.what}.",
            [Query(_left(at, slo), slo.name)],
            unit="percentunit",
            look=Look.NUMBER,
            width=4,
        )
        for slo in SLOS
    ]
    firing = Query(f"sum({at.series('ALERTS', alertstate='firing', service='partwise')}) or vector(0)", "firing")
    return Row(
        "Promises",
        [
            *left,
            Panel("Alerts", "Alerts that fire now.", [firing], look=Look.NUMBER, width=4, bad_from=1),
            Panel(
                "Servers and workers",
                "Processes that Prometheus reaches.",
                [
                    Query(f"sum by (job) ({at.series('up', OURS)})", "{{job}}"),
                ],
                look=Look.NUMBER,
                width=4,
            ),
            Panel(
                "How fast the budgets go",
                "1 uses a budget up in the time that it is for; from 14.4 on somebody is paged.",
                [
                    Query(f"{at.series('slo:partwise_bad:ratio_rate1h', slo=slo.name)} / {slo.budget:g}", slo.name)
                    for slo in SLOS
                ],
                width=24,
                bad_from=14.4,
            ),
        ],
    )


def _left(at: Surroundings, slo: Slo) -> str:
    bad, asked = (
        f"avg_over_time({at.series(f'slo:partwise_{one}:rate5m', slo=slo.name)}[30d])" for one in ("bad", "all")
    )
    return f"1 - {bad} / {asked} / {slo.budget:g}"
