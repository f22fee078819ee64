"""Two weeks of a studio: what was told before a week began, and what came in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from app.services import Services
from app.use_cases.recent import Recent
from tests.cloud_events import BATCH, as_json, cloud_event

__all__ = ["age", "long_ago", "send", "studio", "told_event", "week_of"]


def told_event(number: int, kind: str, client: str, at: datetime, **data: Any) -> dict[str, Any]:
    return cloud_event(f"{client}-{kind}-{number}", kind, client, data=data, time=at.isoformat())


async def send(api: httpx.AsyncClient, *events: dict[str, Any]) -> None:
    """Tell it, and see to it that it is assessed."""
    answer = await api.post("/v1/events", content=as_json(list(events)), headers={"Content-Type": BATCH})
    assert answer.json()["accepted"] == len(events), answer.text
    assert (await api.get("/v1/clients?limit=1")).json()["stale"] == 0


async def age(owner_url: str, services: Services, tenant: str, **back: float) -> None:
    """Let all that was told so far have been told and stored some time ago: as the owner, for nobody else may."""
    tenant_id = await services.keys.tenant(tenant)
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        for table, column in (("event", "recorded_at"), ("assessment_change", "at")):
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant_id)
                changed = f"UPDATE {table} SET {column} = {column} - $2::interval WHERE tenant_id = $1"
                await connection.execute(changed, tenant_id, timedelta(**back))
    finally:
        await connection.close()
    # What is kept at hand of events is of before.
    services.assess.cases._histories._kept = Recent(1_000)


def long_ago(days: float, hour: int = 10) -> datetime:
    """At an hour of a day some days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)


def _invoice(  # noqa: PLR0917 - what an invoice is
    number: int, client: str, days: float, amount: int, paid: float | None = None, terms: int = 30
) -> Iterator[dict[str, Any]]:
    name, issued = f"{client[:2].upper()}-{number}", long_ago(days)
    due = (issued + timedelta(days=terms)).date().isoformat()
    yield told_event(
        number, "invoice.issued", client, issued, invoice=name, amount=amount, currency="USD", due_date=due
    )
    if paid is not None:
        yield told_event(number, "invoice.paid", client, long_ago(paid), invoice=name)


def studio() -> list[dict[str, Any]]:
    """What was told before the week."""
    events = [
        told_event(0, "client.created", "aurora", long_ago(400), name="Aurora & Söhne <Hotels>"),
        told_event(0, "client.created", "basalt", long_ago(400), name="Basalt Bau"),
        told_event(0, "client.created", "cobalt", long_ago(400), name="Cobalt Games"),
        told_event(0, "client.created", "drift", long_ago(300), name="Drift Cycling"),
    ]
    everybody = ("aurora", "basalt", "cobalt", "drift")
    events += [told_event(0, "contract.signed", client, long_ago(290)) for client in everybody]
    for n in range(6):
        events += _invoice(n, "aurora", 260 - 40 * n, 4000, 235 - 40 * n)
        events += _invoice(n, "basalt", 280 - 40 * n, 2500, 245 - 40 * n)
        events += _invoice(n, "drift", 250 - 40 * n, 1500, 225 - 40 * n)
    events += _invoice(9, "aurora", 38, 4200)
    events += _invoice(1, "cobalt", 150, 3000, 100)
    events += _invoice(2, "cobalt", 110, 3000, terms=14)
    events += [told_event(n, "reminder.sent", "cobalt", long_ago(80 - 20 * n), invoice="CO-2") for n in range(3)]
    return events


def week_of() -> list[list[dict[str, Any]]]:
    """What came in the week, in turns that are assessed one by one."""
    return [
        [
            # Takes its last payment back.
            told_event(1, "payment.charged_back", "aurora", long_ago(3), invoice="AU-5"),
            # Pays what was open for so long.
            told_event(2, "invoice.paid", "cobalt", long_ago(2), invoice="CO-2"),
            # Will not sign the new contract, and then does.
            told_event(1, "contract.sent", "drift", long_ago(6), contract="next"),
            told_event(1, "contract.explained", "drift", long_ago(5), contract="next"),
            told_event(1, "contract.declined", "drift", long_ago(4), contract="next", reason="later"),
            told_event(1, "client.created", "elm", long_ago(4), name="Elm Bakery"),
            told_event(1, "message.received", "elm", long_ago(4), channel="email"),
            told_event(1, "client.created", "flint", long_ago(4), name="Flint Media"),
            told_event(1, "contract.sent", "flint", long_ago(60)),
            told_event(1, "contract.explained", "flint", long_ago(50)),
            told_event(1, "contract.declined", "flint", long_ago(40), reason="never"),
            told_event(1, "time.logged", "flint", long_ago(20), hours=40),
        ],
        [told_event(2, "contract.signed", "drift", long_ago(1), contract="next")],
    ]
