"""Sending again, as far as it is asked for: which changes a period has, and what cannot be sent any more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.services import Services
from app.store.change_feed import PostgresChangeFeed
from app.use_cases import webhooks
from tests.rest.test_bad_input import check
from tests.rest.test_changes import tell
from tests.rest.test_webhooks import logged, made, path_of


def a_day() -> dict[str, str]:
    now = datetime.now(UTC)
    return {"since": (now - timedelta(hours=12)).isoformat(), "until": (now + timedelta(hours=12)).isoformat()}


async def replayed(api: httpx.AsyncClient, path: str, **period: str) -> int:
    answer = await api.post(f"{path}/replay", json=a_day() | period)
    assert answer.status_code == 202, answer.text
    found: int = answer.json()["deliveries"]
    return found


async def pending(api: httpx.AsyncClient, path: str) -> list[str]:
    items = (await api.get(f"{path}/deliveries?state=pending")).json()["items"]
    return [one["client_id"] for one in items][::-1]


async def changes(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/v1/changes")).json()["items"]
    return found


async def test_a_period_has_what_the_filters_let_through_in_order_and_once(api: httpx.AsyncClient):
    await tell(api, "a", "b")
    await tell(api, "a", kind="contract.declined")
    told = await changes(api)
    verdict, kind = told[-1]["after"]["verdict"], told[0]["after"]["client_type"]

    def fits(**wanted: Any) -> list[str]:
        def passes(one: dict[str, Any]) -> bool:
            sides = [side for side in (one["before"], one["after"]) if side]
            return all(
                (name == "aspects" and set(values) & set(one["aspects"]))
                or (name == "verdicts" and any(side["verdict"] in values for side in sides))
                or (name == "client_types" and any(side["client_type"] in values for side in sides))
                for name, values in wanted.items()
            )

        return [one["client_id"] for one in told if passes(one)]

    for wanted in (
        {},
        {"verdicts": [verdict]},
        {"verdicts": ["keep", "watch", "renegotiate", "part"]},
        {"verdicts": ["part"]},
        {"client_types": [kind]},
        {"client_types": ["non_payer"]},
        {"aspects": ["verdict"]},
        {"aspects": ["score_step", "client_type"], "verdicts": [verdict]},
    ):
        path = path_of(await made(api, **wanted))
        assert await replayed(api, path) == len(fits(**wanted)), wanted
        assert await pending(api, path) == fits(**wanted)
        # What waits already is not sent twice.
        assert await replayed(api, path) == 0
        assert (await api.get(path)).json()["delivering"]["pending"] == len(fits(**wanted))
    for sources, count in ((["/crm", "nobody"], 0), ([(await api.get("/v1/events")).json()["items"][0]["source"]], 3)):
        assert await replayed(api, path_of(await made(api, sources=sources))) == min(count, len(told))


async def test_a_period_begins_at_its_first_instant_and_ends_before_its_last(api: httpx.AsyncClient):
    await tell(api, "a")
    await tell(api, "b")
    first, second = [one["at"] for one in await changes(api)]
    path = path_of(await made(api))
    assert await replayed(api, path, since=first, until=second) == 1
    assert await pending(api, path) == ["a"]
    assert await replayed(api, path, since=second) == 1
    assert await pending(api, path) == ["a", "b"]
    assert await logged(api) == ["webhook.created", "webhook.replayed", "webhook.replayed"]
    entry = (await api.get("/v1/audit-log?action=webhook.replayed&limit=1")).json()["items"][0]
    assert entry["details"]["deliveries"] == 1


async def test_what_is_still_to_come_is_not_replayed(api: httpx.AsyncClient):
    path = path_of(await made(api))
    await tell(api, "a")
    assert (await api.get(path)).json()["delivering"]["behind"] == 1
    assert await replayed(api, path) == 0
    # Once it is skipped, it is.
    assert (await api.post(f"{path}/skip")).json() == {"deliveries": 0}
    assert (await api.get(path)).json()["delivering"]["behind"] == 0
    assert await replayed(api, path) == 1
    assert (await api.post(f"{path}/skip")).json() == {"deliveries": 1}
    assert (await api.post(f"{path}/skip")).json() == {"deliveries": 0}
    assert await logged(api) == ["webhook.created", "webhook.skipped", "webhook.replayed", "webhook.skipped"]


async def test_a_period_has_so_many_at_most(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    await tell(api, "a", "b", "c")
    path = path_of(await made(api))
    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "MOST_REPLAYED", 2)
        problem = check(await api.post(f"{path}/replay", json=a_day()), 422)
        assert (problem["errors"][0]["pointer"], "shorter" in problem["detail"]) == ("/until", True)
        assert await pending(api, path) == []
        patch.setattr(webhooks, "MOST_REPLAYED", 3)
        assert await replayed(api, path) == 3


async def test_a_webhook_that_asks_for_no_changes_replays_none(api: httpx.AsyncClient):
    path = path_of(await made(api, types=["webhook.disabled"]))
    check(await api.post(f"{path}/replay", json=a_day()), 409)


async def test_what_is_erased_or_kept_no_longer_is_not_sent_again(
    api: httpx.AsyncClient, services: Services, tenant: str
):
    await tell(api, "a", "b")
    path = path_of(await made(api))
    assert await replayed(api, path) == 2
    numbers = {one["client_id"]: one["number"] for one in (await api.get(f"{path}/deliveries")).json()["items"]}
    gone, left = (f"{path}/deliveries/{numbers[client]}" for client in "ab")
    assert (await api.delete("/v1/clients/a")).status_code == 204
    check(await api.get(gone), 404)
    check(await api.post(f"{gone}/replay"), 404)
    assert await pending(api, path) == ["b"]
    assert await replayed(api, path) == 0
    shown = (await api.get(left)).json()
    assert (shown["client_id"], shown["change"]["client_id"]) == ("b", "b")
    assert (await api.post(f"{left}/replay")).status_code == 202
    # As of a moment in the future, all is old.
    feed = services.changes._feed
    assert isinstance(feed, PostgresChangeFeed)
    assert await feed._remove(await services.keys.tenant(tenant), -1, 10) == 1
    assert (await api.get(left)).json()["change"] is None
    assert "kept no longer" in check(await api.post(f"{left}/replay"), 409)["detail"]
    assert await replayed(api, path) == 0


async def test_a_webhook_that_was_removed_leaves_nothing(api: httpx.AsyncClient, services: Services, tenant: str):
    await tell(api, "a")
    found = await made(api)
    path = path_of(found)
    assert await replayed(api, path) == 1
    assert (await api.delete(path)).status_code == 204
    assert (await api.delete(path)).status_code == 404
    tenant_id = await services.keys.tenant(tenant)
    wanted = await services.webhooks.deliveries_of(
        tenant_id, [found["webhook_id"]], webhooks.DeliveryFilter(), None, 10
    )
    assert wanted == {}
    assert await logged(api) == ["webhook.created", "webhook.replayed", "webhook.removed"]
