"""What the dashboard for ops shows of work, and of what it rests on."""

from monitoring.panels import Look, Panel, Query, Row
from monitoring.queries import both, by, quantiles, rate, worker
from monitoring.surroundings import Surroundings

__all__ = ["database", "freshness", "processes", "webhooks", "workers"]


def freshness(at: Surroundings) -> Row:
    """How old assessments are."""
    return Row(
        "Freshness",
        [
            Panel(
                "Oldest that is due",
                "Seconds that the first client has been due; beyond five minutes assessments are out of date.",
                [Query(f"max({worker(at, 'partwise_due_seconds')})", "oldest")],
                "s",
                bad_from=300,
            ),
            Panel(
                "Clients that are due",
                "Clients whose stored assessment does not hold any more, counted up to 10,000.",
                [Query(f"max({worker(at, 'partwise_due_clients')})", "due")],
            ),
            Panel(
                "From event to assessment",
                "Seconds from when an event was recorded to when an assessment was stored that counts it.",
                quantiles(both(at, "partwise_assessment_lag_seconds_bucket")),
                "s",
                bad_from=300,
            ),
            Panel(
                "Assessed",
                "Clients a second whose assessment was made anew, and that could not be assessed.",
                [
                    Query(f"sum({rate(both(at, 'partwise_assessed_clients_total'))})", "assessed"),
                    Query(f"sum({rate(both(at, 'partwise_failed_assessments_total'))})", "failed"),
                ],
            ),
            Panel(
                "Verdicts that change",
                "Stored verdicts an hour that became others.",
                [
                    Query(
                        f"3600 * sum by (before, after) ({rate(both(at, 'partwise_verdict_changes_total'))}) > 0",
                        "{{before}} → {{after}}",
                    )
                ],
                always=False,
            ),
            Panel(
                "Evaluations of policies",
                "Clients a second that were assessed, by what for.",
                by("purpose", both(at, "partwise_policy_evaluations_total")),
            ),
        ],
    )


def workers(at: Surroundings) -> Row:
    """What the tasks of the workers come to."""
    success = worker(at, "partwise_worker_last_success_timestamp_seconds")
    return Row(
        "Workers",
        [
            Panel(
                "Rounds by task",
                "Rounds a second.",
                [
                    Query(
                        f"sum by (task, outcome) ({rate(worker(at, 'partwise_worker_runs_total'))}) > 0",
                        "{{task}}: {{outcome}}",
                    )
                ],
            ),
            Panel(
                "Since a task succeeded",
                "Seconds since any worker ended a round of it without an error.",
                [Query(f"time() - max by (task) ({success} > 0)", "{{task}}")],
                "s",
                bad_from=900,
            ),
            Panel(
                "Unfinished erasures",
                "Erased clients of whom rows are still to be removed.",
                [Query(f"max({worker(at, 'partwise_unfinished_erasures')})", "erasures")],
                bad_from=1,
            ),
        ],
    )


def webhooks(at: Surroundings) -> Row:
    """How what becomes other is told."""
    tries = worker(at, "partwise_webhook_attempts_total")
    return Row(
        "Webhooks",
        [
            Panel(
                "From change to delivery",
                "Seconds from when a change was stored to when a receiver had taken it, retries and all.",
                quantiles(worker(at, "partwise_webhook_delivery_lag_seconds_bucket")),
                "s",
            ),
            Panel(
                "Overdue",
                "Seconds for which the oldest delivery that is due has waited, by how its receiver is.",
                [Query(f"max by (receiver) ({worker(at, 'partwise_webhook_overdue_seconds')})", "{{receiver}}")],
                "s",
                bad_from=300,
            ),
            Panel(
                "Waiting",
                "Deliveries that are pending, and changes still to be looked at, by how the receiver is.",
                [Query(f"max by (receiver) ({worker(at, 'partwise_webhook_waiting_deliveries')})", "{{receiver}}")],
            ),
            Panel("Tries", "A second, by what came of them.", by("outcome", tries)),
            Panel(
                "Webhooks",
                "Enabled with a receiver that is well, enabled with one that fails or is slow, disabled.",
                [Query(f"max by (state) ({worker(at, 'partwise_webhooks')})", "{{state}}")],
            ),
            Panel(
                "Disabled",
                "Webhooks an hour that were disabled by us.",
                [
                    Query(
                        f"3600 * sum by (reason) ({rate(worker(at, 'partwise_webhooks_disabled_total'))})",
                        "{{reason}}",
                    )
                ],
            ),
        ],
    )


def database(at: Surroundings) -> Row:
    """Pools, transactions and errors."""
    seconds = both(at, "partwise_database_transaction_duration_seconds_bucket")
    transactions = both(at, "partwise_database_transaction_duration_seconds_count")
    connections = both(at, "partwise_database_pool_connections", state="used")
    room = both(at, "partwise_database_pool_limit_connections")
    used = f"sum by (job, pool) ({connections}) / sum by (job, pool) ({room})"
    waits = both(at, "partwise_database_pool_wait_seconds_bucket")
    return Row(
        "Database",
        [
            Panel(
                "Reached",
                "1 where a process reached Postgres when it last asked.",
                [Query(both(at, "partwise_database_up"), "{{instance}}")],
            ),
            Panel(
                "Connections in use",
                "The share of each pool.",
                [Query(used, "{{job}} {{pool}}")],
                "percentunit",
                bad_from=0.9,
            ),
            Panel(
                "Waiting for a connection",
                "Seconds that one in a hundred waits longer than.",
                [Query(f"histogram_quantile(0.99, sum by (le, job, pool) ({rate(waits)}))", "{{job}} {{pool}}")],
                "s",
                bad_from=0.5,
            ),
            Panel(
                "Slowest transactions",
                "Seconds that one in a hundred takes longer than, of the ten slowest kinds.",
                [
                    Query(
                        f"topk(10, histogram_quantile(0.99, sum by (le, operation) ({rate(seconds)})) > 0)",
                        "{{operation}}",
                    )
                ],
                "s",
            ),
            Panel(
                "Transactions",
                "A second, of the ten most frequent kinds.",
                [Query(f"topk(10, sum by (operation) ({rate(transactions)}) > 0)", "{{operation}}")],
                "ops",
            ),
            Panel(
                "Errors",
                "Times a second that the database was away, too busy, or refused what it was asked.",
                [
                    Query(
                        f"sum by (job, kind) ({rate(both(at, 'partwise_database_errors_total'))})",
                        "{{job}} {{kind}}",
                    )
                ],
                "ops",
                bad_from=0.1,
            ),
        ],
    )


def processes(at: Surroundings) -> Row:
    """What each process takes."""
    lag = both(at, "partwise_event_loop_lag_seconds_bucket")
    files = f"{both(at, 'process_open_fds')} / {both(at, 'process_max_fds')}"
    return Row(
        "Processes",
        [
            Panel(
                "Processor",
                "Seconds a second.",
                [Query(f"{rate(both(at, 'process_cpu_seconds_total'))}", "{{instance}}")],
            ),
            Panel("Memory", "Resident.", [Query(both(at, "process_resident_memory_bytes"), "{{instance}}")], "bytes"),
            Panel(
                "Event loop comes late",
                "Seconds that one look in a hundred came later than.",
                [Query(f"histogram_quantile(0.99, sum by (le, instance) ({rate(lag)}))", "{{instance}}")],
                "s",
                bad_from=0.5,
            ),
            Panel(
                "Open files",
                "The share of those that may be open.",
                [Query(files, "{{instance}}")],
                "percentunit",
                bad_from=0.8,
            ),
            Panel(
                "Takes work",
                "1 from its start, 0 once it was told to end.",
                [Query(both(at, "partwise_ready"), "{{instance}}")],
            ),
            Panel(
                "What runs",
                "Versions: during a rollout there are two.",
                [Query(both(at, "partwise_build_info"))],
                look=Look.TABLE,
            ),
        ],
    )
