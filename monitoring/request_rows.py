"""What the dashboard for ops shows of requests."""

from monitoring.panels import Panel, Query, Row
from monitoring.queries import by, quantiles, rate, server
from monitoring.slos import API
from monitoring.surroundings import Surroundings

__all__ = ["events", "graphql", "requests"]


def requests(at: Surroundings) -> Row:
    """Rate, errors and duration of all requests."""
    counted = server(at, "partwise_http_requests_total")
    seconds = server(at, "partwise_http_request_duration_seconds_bucket")
    failed, asked = (
        server(at, "partwise_http_requests_total", API, status="5xx"),
        server(at, "partwise_http_requests_total", API),
    )
    errors = server(at, "partwise_http_requests_total", status="5xx")
    share = f"sum({rate(failed)}) / sum({rate(asked)})"
    slow = f"histogram_quantile(0.99, sum by (le, method, route) ({rate(seconds)}))"
    return Row(
        "Requests",
        [
            Panel("Requests by status", "Requests a second.", by("status", counted), "reqps"),
            Panel(
                "Failed",
                "The share of the API's requests that were answered by 5xx.",
                [Query(share, "5xx")],
                "percentunit",
                bad_from=0.001,
            ),
            Panel("Duration", "Seconds of all requests but streams.", quantiles(seconds), "s", bad_from=1),
            Panel(
                "Requests by route",
                "The ten routes that are asked for most.",
                [Query(f"topk(10, sum by (method, route) ({rate(counted)}) > 0)", "{{method}} {{route}}")],
                "reqps",
                width=12,
            ),
            Panel(
                "Slowest routes",
                "Seconds that one in a hundred takes longer than, of the ten slowest routes.",
                [Query(f"topk(10, {slow} > 0)", "{{method}} {{route}}")],
                "s",
                width=12,
            ),
            Panel(
                "Errors by route",
                "Requests a second that were answered by 5xx.",
                [
                    Query(f"sum by (method, route) ({rate(errors)}) > 0", "{{method}} {{route}}"),
                ],
                "reqps",
                always=False,
            ),
            Panel(
                "Problems by type",
                "Problems a second, as /problems explains them.",
                [Query(f"sum by (type) ({rate(server(at, 'partwise_http_problems_total'))}) > 0", "{{type}}")],
                "reqps",
                always=False,
            ),
            Panel(
                "In progress",
                "Requests that are being answered.",
                [Query(server(at, "partwise_http_requests_in_progress"), "{{instance}}")],
            ),
            Panel(
                "Keys and limits",
                "Keys and tokens by what was found, and times that a limit was reached, a second.",
                [
                    Query(
                        f"sum by (outcome) ({rate(server(at, 'partwise_authentications_total'))})",
                        "{{outcome}}",
                    ),
                    Query(
                        f"sum by (unit) ({rate(server(at, 'partwise_rate_limited_total'))})",
                        "limited: {{unit}}",
                    ),
                ],
                "reqps",
                width=24,
            ),
        ],
    )


def graphql(at: Surroundings) -> Row:
    """The same of GraphQL."""
    counted = server(at, "partwise_graphql_operations_total")
    seconds = server(at, "partwise_graphql_operation_duration_seconds_bucket", kind="query")
    return Row(
        "GraphQL",
        [
            Panel("Operations by kind", "Operations a second.", by("kind", counted), "reqps"),
            Panel("Operations by outcome", "Operations a second.", by("outcome", counted), "reqps"),
            Panel("Duration of queries", "Seconds.", quantiles(seconds), "s", bad_from=1),
        ],
    )


def events(at: Surroundings) -> Row:
    """What is sent, and what becomes of it."""
    asked = {"method": "POST", "route": "/v1/events"}
    seconds = server(at, "partwise_http_request_duration_seconds_bucket", **asked)
    waiting = server(at, "partwise_ingest_waiting_bytes")
    room = server(at, "partwise_ingest_room_bytes")
    return Row(
        "Events",
        [
            Panel("Events by outcome", "Events a second.", by("outcome", server(at, "partwise_ingest_events_total"))),
            Panel(
                "Recorded together",
                "Events of one write.",
                quantiles(server(at, "partwise_ingest_batch_events_bucket")),
            ),
            Panel(
                "Duration", "Seconds of requests with events, streams left out.", quantiles(seconds), "s", bad_from=1
            ),
            Panel(
                "Age when accepted",
                "Seconds between an event's own time and when it was accepted: how late senders are.",
                quantiles(server(at, "partwise_ingest_event_age_seconds_bucket")),
                "s",
                width=12,
            ),
            Panel(
                "Room that is taken",
                "Of the memory for events that wait to be written. Beyond three quarters a tenant is refused.",
                [Query(f"{waiting} / {room}", "{{instance}}")],
                "percentunit",
                width=12,
                bad_from=0.6,
            ),
        ],
    )
