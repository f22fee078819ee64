"""The dashboard for a tenant, from its own scrape of GET /v1/metrics (docs/portfolio-metrics.md)."""

from typing import Final

from monitoring.panels import Board, Look, Panel, Query, Row, Variable

__all__ = ["portfolios"]

_JOB: Final = 'job=~"$job"'


def portfolios() -> Board:
    """How a portfolio stands, how it moves, and who is to be looked at."""
    return Board(
        uid="partwise-portfolio",
        title="Partwise: portfolio",
        says="Clients by verdict, what weighs on them, money at risk, and whom to look at first.",
        variables=[Variable("job", "Portfolio", "partwise_portfolio_info", "job", is_one=True)],
        rows=[_stand(), _strain(), _changes(), _clients()],
        since="now-30d",
        refresh="1m",
    )


def _series(name: str, *conditions: str) -> str:
    return f"{name}{{{', '.join([_JOB, *conditions])}}}"


def _stand() -> Row:
    clients = _series("partwise_portfolio_clients")
    scores = _series("partwise_portfolio_score_bucket")
    stale_since = _series("partwise_portfolio_stale_since_timestamp_seconds")
    return Row(
        "How the portfolio stands",
        [
            Panel(
                "Clients by verdict",
                "Clients that the stored assessments count.",
                [Query(f"sum by (verdict) ({clients})", "{{verdict}}")],
                look=Look.NUMBER,
                width=12,
            ),
            Panel(
                "Still to be assessed",
                "Clients whose assessment does not hold any more, counted up to 1,000.",
                [Query(f"sum({_series('partwise_portfolio_stale_clients')})", "clients")],
                look=Look.NUMBER,
                width=6,
            ),
            Panel(
                "For so long",
                "Since the first of them became so; nothing where none is.",
                [Query(f"time() - min({stale_since})", "oldest")],
                unit="s",
                look=Look.NUMBER,
                width=6,
                always=False,
            ),
            Panel("Verdicts", "Clients.", [Query(f"sum by (verdict) ({clients})", "{{verdict}}")]),
            Panel("Types", "Clients.", [Query(f"sum by (client_type) ({clients}) > 0", "{{client_type}}")]),
            Panel(
                "Scores",
                "From 0 (keep) to 100 (part): what a quarter, half and nine of ten clients do not exceed.",
                [
                    Query(f"histogram_quantile({share}, sum by (le) ({scores}))", name)
                    for share, name in ((0.25, "a quarter"), (0.5, "half"), (0.9, "nine of ten"))
                ],
            ),
        ],
    )


def _strain() -> Row:
    everybody = f"sum({_series('partwise_portfolio_clients')})"
    per_client = f"sum by (sign) ({_series('partwise_portfolio_strain_decibans')}) / on() group_left() {everybody}"
    return Row(
        "What weighs on it",
        [
            Panel(
                "Strain by sign",
                "Evidence that relationships should end, in decibans a client; below 0 it reassures.",
                [Query(per_client, "{{sign}}")],
                below_zero=True,
            ),
            Panel(
                "Leading signs",
                "Clients by the sign that weighs most.",
                [Query(f"sum by (sign) ({_series('partwise_portfolio_leading_sign_clients')}) > 0", "{{sign}}")],
            ),
            Panel(
                "Money at risk",
                "Open amounts of invoices that are overdue or whose payment was taken back, by currency.",
                [Query(f"sum by (currency) ({_series('partwise_portfolio_money_at_risk')})", "{{currency}}")],
                always=False,
            ),
            Panel(
                "Cost of staying",
                "What it costs to stay with all clients, in a month, by currency.",
                [
                    Query(
                        f"sum by (currency) ({_series('partwise_portfolio_cost_of_staying_per_month')})", "{{currency}}"
                    )
                ],
                width=24,
                always=False,
            ),
        ],
    )


def _changes() -> Row:
    moves = _series("partwise_portfolio_verdict_changes", 'window="7d"')
    return Row(
        "How it moves",
        [
            Panel(
                "Better and worse",
                "Changes of verdicts within 7 and 30 days.",
                [
                    Query(f"sum by (window) ({_series('partwise_portfolio_improved')})", "better, {{window}}"),
                    Query(f"sum by (window) ({_series('partwise_portfolio_worsened')})", "worse, {{window}}"),
                ],
                width=12,
            ),
            Panel(
                "Verdicts that changed within 7 days",
                "Clients by the verdict before and after.",
                [Query(f"sum by (before, after) ({moves}) > 0", "{{before}} → {{after}}")],
                width=12,
                always=False,
            ),
        ],
    )


def _clients() -> Row:
    info = _series("partwise_client_info")
    named = f"* on (client_id) group_left (client_type, name) {info}"
    return Row(
        "Whom to look at",
        [
            Panel(
                "Highest scores",
                "The clients whose relationship should end soonest, of those that the scrape asks for (`top`).",
                [Query(f"topk(20, {_series('partwise_client_score')}) {named}")],
                look=Look.TABLE,
                width=12,
            ),
            Panel(
                "Scores",
                "Of these clients.",
                [Query(_series("partwise_client_score"), "{{client_id}}")],
                width=12,
            ),
            Panel(
                "Most money at risk",
                "Of these clients, by currency.",
                [Query(f"topk(20, {_series('partwise_client_money_at_risk')}) {named}")],
                look=Look.TABLE,
                width=12,
                always=False,
            ),
            Panel(
                "Worse within a month",
                "Of these clients, whose score rose most within 30 days.",
                [Query(f"topk(20, {_series('partwise_client_score_change')} > 0) {named}")],
                look=Look.TABLE,
                width=12,
                always=False,
            ),
        ],
    )
