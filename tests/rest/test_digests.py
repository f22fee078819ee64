"""Digests over REST and GraphQL: what became of clients and why, in every form and language, cheap to ask for again."""

import email
import email.policy
import random
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from app.core.net_change import net_kind
from app.core.reading import Reading
from app.core.signs import SIGNS
from app.core.strategies import APPROACHES
from app.core.verdict import Verdict
from app.core.words import CLIENT_TYPES, DEAL_BREAKERS, VERDICTS
from app.language import LANGUAGES, speaker
from app.services import Services
from tests.cloud_events import BATCH, as_json, cloud_event
from tests.postgres import Server
from tests.rest.conftest import Caller
from tests.rest.digest_weeks import age, long_ago, send, studio, told_event, week_of

URL = "/v1/portfolio/changes"
FORMS = ("application/json", "text/plain", "text/html", "message/rfc822")
Aging = Callable[..., Awaitable[None]]


@pytest.fixture
def aging(postgres: Server, database_url: str, services: Services, tenant: str) -> Aging:
    """Let what was told so far be told some time ago."""

    async def back(**time: float) -> None:
        await age(postgres.owner_of(database_url), services, tenant, **time)

    return back


@pytest.fixture
async def week(api: httpx.AsyncClient, aging: Aging) -> httpx.AsyncClient:
    """A studio, and a week in which something happened."""
    await send(api, *studio())
    await aging(days=8)
    for turn in week_of():
        await send(api, *turn)
    return api


async def digest(api: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await api.get(URL, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def in_form(api: httpx.AsyncClient, media: str, language: str = "en", **query: Any) -> httpx.Response:
    answer = await api.get(URL, params=query, headers={"Accept": media, "Accept-Language": language})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["content-language"] == language
    assert {"Accept", "Accept-Language"} <= set(re.split(", *", answer.headers["vary"]))
    return answer


# -------------------------------------------------------------------------------------------------------- what it tells


async def test_it_tells_what_became_of_each_client_and_what_matters_most_comes_first(week: httpx.AsyncClient):
    found = await digest(week, period="7d")
    assert found["counts"] == {"worse": 1, "better": 1, "new": 2, "returned": 1, "slight": 0}
    told = [(one["client_id"], one["kind"]) for one in found["items"]]
    assert told == [
        ("aurora", "worse"),
        ("flint", "new"),
        ("cobalt", "better"),
        ("elm", "new"),
        ("drift", "returned"),
    ]
    assert found["not_shown"] == 0
    aurora, flint, cobalt, elm, drift = found["items"]
    assert (aurora["before"]["verdict"], aurora["after"]["verdict"]) == ("keep", "renegotiate")
    assert (aurora["before"]["client_type"], aurora["after"]["client_type"]) == ("reliable_partner", "non_payer")
    assert aurora["change"] == pytest.approx(aurora["after"]["score"] - aurora["before"]["score"])
    assert aurora["money_at_risk"] == [{"amount": "8200", "currency": "USD"}]
    assert aurora["reasons"][0]["sign"] == "nonpayment"
    assert "AU-5" in aurora["reasons"][0]["sentence"]
    assert aurora["first_step"] == APPROACHES["non_payer"].steps[0]
    assert (flint["before"], flint["change"], flint["between"]) == (None, None, None)
    assert flint["reasons"][0]["sign"] == "contract"
    assert cobalt["change"] < -10
    assert cobalt["reasons"][0]["points"] < 0
    assert elm["name"] == "Elm Bakery"
    assert (drift["before"]["verdict"], drift["between"], drift["after"]["verdict"]) == ("keep", "renegotiate", "keep")
    portfolio = found["portfolio"]
    assert portfolio["clients"] == sum(one["clients"] for one in portfolio["by_verdict"]) == 6
    assert portfolio["money_at_risk"] == aurora["money_at_risk"]
    assert portfolio["stale"] == 0


async def test_what_it_tells_is_what_the_explanations_say(week: httpx.AsyncClient):
    found = await digest(week)
    for one in found["items"]:
        explained = (await week.get(f"/v1/clients/{one['client_id']}/explanation")).json()
        assert one["after"]["verdict"] == explained["verdict"]
        assert one["after"]["score"] == pytest.approx(explained["score"])
        assert one["after"]["client_type"] == explained["client_type"]["name"]
        sentences = {sign["sign"]: sign["sentence"] for sign in explained["signs"]}
        for reason in one["reasons"]:
            assert reason["sentence"] == sentences[reason["sign"]]
        if one["change"] is not None:
            # Nothing is left unsaid of how the score moved.
            assert sum(reason["points"] for reason in one["reasons"]) + one["rest"] == pytest.approx(one["change"])
        assert one["first_step"] in explained["strategy"]["steps"]


async def test_what_was_told_late_counts_from_when_it_was_told(api: httpx.AsyncClient, aging: Aging):
    """An invoice of months ago, of which one hears this week: the client became worse this week, and by that."""
    await send(api, told_event(1, "contract.signed", "late", long_ago(200)))
    await aging(days=8)
    terms = {"invoice": "L-1", "amount": 900, "currency": "USD", "due_date": long_ago(90).date().isoformat()}
    await send(api, told_event(1, "invoice.issued", "late", long_ago(120), **terms))
    (one,) = (await digest(api))["items"]
    assert (one["kind"], one["reasons"][0]["sign"], one["rest"]) == ("worse", "nonpayment", 0)


async def test_another_policy_is_no_doing_of_the_client(api: httpx.AsyncClient, aging: Aging):
    await send(api, *studio())
    await aging(days=8)
    drafted = await api.post("/v1/policies", json={"settings": {"prior_decibans": -2}})
    version = drafted.json()["version"]
    await api.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
    assert (await api.get("/v1/clients?limit=1")).json()["stale"] == 0
    found = await digest(api)
    moved = [one for one in found["items"] if one["kind"] == "worse"]
    assert moved
    for one in moved:
        assert one["rest"] > 5
        assert "another policy" in one["remarks"][-1]
    assert found["policy_version"] == version


async def test_a_deal_breaker_is_told_of_by_its_name(api: httpx.AsyncClient, aging: Aging):
    settings = {"settings": {"deal_breakers": ["debt_written_off"]}}
    version = (await api.post("/v1/policies", json=settings)).json()["version"]
    await api.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
    terms = {"invoice": "G-1", "amount": 900, "currency": "USD", "due_date": long_ago(90).date().isoformat()}
    await send(api, told_event(1, "invoice.issued", "gone", long_ago(120), **terms))
    await aging(days=8)
    await send(api, told_event(1, "invoice.written_off", "gone", long_ago(1), invoice="G-1"))
    (one,) = (await digest(api))["items"]
    assert (one["kind"], one["after"]["verdict"]) == ("worse", "part")
    assert one["remarks"] == [DEAL_BREAKERS["debt_written_off"]]
    assert "Stop" in one["first_step"]


async def test_who_was_erased_is_in_it_no_more(week: httpx.AsyncClient):
    assert (await week.delete("/v1/clients/aurora", headers={"If-Match": "*"})).is_success
    found = await digest(week)
    assert "aurora" not in [one["client_id"] for one in found["items"]]
    assert found["counts"]["worse"] == 0
    for media in FORMS:
        assert "Aurora" not in (await in_form(week, media)).text


async def test_a_long_history_is_told_of_too(api: httpx.AsyncClient, aging: Aging):
    """Of which not all events are read."""
    told = [told_event(n, "message.received", "long", long_ago(600 - n), channel="email") for n in range(600)]
    await send(api, *told)
    await aging(days=8)
    terms = {"invoice": "L-1", "amount": 900, "currency": "USD", "due_date": long_ago(3).date().isoformat()}
    await send(
        api,
        told_event(1, "invoice.issued", "long", long_ago(5), **terms),
        told_event(1, "payment.charged_back", "long", long_ago(1), invoice="L-1"),
    )
    (one,) = [one for one in (await digest(api))["items"] if one["client_id"] == "long"]
    assert one["kind"] == "worse"
    assert one["reasons"][0]["sign"] == "nonpayment"
    assert one["rest"] == pytest.approx(0, abs=1)


async def test_nothing_is_something_to_tell(api: httpx.AsyncClient, aging: Aging):
    empty = await digest(api)
    assert (empty["items"], empty["portfolio"]["clients"]) == ([], 0)
    await send(api, *studio())
    await aging(days=8)
    found = await digest(api)
    assert set(found["counts"].values()) == {0}
    assert found["subject"].endswith(": nothing of note")
    text = (await in_form(api, "text/plain")).text
    assert "No client became worse or better" in text
    assert "4 clients now" in text


# ------------------------------------------------------------------------------------------------------------- periods


async def test_two_digests_leave_nothing_out_between_them_and_tell_nothing_twice(api: httpx.AsyncClient):
    seen: list[str] = []
    after = (await digest(api))["next"]
    for name in ("a", "b", "c"):
        await send(api, cloud_event(name, "contract.sent", name))
        found = await digest(api, after=after)
        seen += [one["client_id"] for one in found["items"]]
        after = found["next"]
    assert seen == ["a", "b", "c"]
    assert (await digest(api, after=after))["items"] == []
    # The place is one of the feed, and the other way round.
    feed = (await api.get("/v1/changes", params={"limit": 1})).json()
    assert [one["client_id"] for one in (await digest(api, after=feed["next"]))["items"]] == ["b", "c"]
    assert (await api.get("/v1/changes", params={"after": after})).json()["items"] == []


async def test_a_period_ends_where_it_is_said(week: httpx.AsyncClient):
    now = datetime.now(UTC)
    assert (await digest(week, **{"from": (now - timedelta(minutes=30)).isoformat()}))["counts"]["worse"] == 1
    before = (now - timedelta(days=2)).isoformat()
    past = await digest(week, until=before, period="10d")
    # All four of the studio were new then.
    assert (past["counts"]["new"], past["counts"]["worse"], past["portfolio"]) == (4, 0, None)
    assert (await digest(week, until=before, period="1d"))["items"] == []
    day = (now - timedelta(days=8)).date().isoformat()
    assert (await digest(week, **{"from": day, "until": day}))["counts"]["new"] == 4
    # What is still to come is now.
    ahead = await digest(week, until=(now + timedelta(days=3)).isoformat())
    assert ahead["until"] < (now + timedelta(minutes=10)).isoformat()


async def test_a_week_is_one_by_the_clock_on_the_wall(api: httpx.AsyncClient):
    settings = {"settings": {"calendar": {"zone": "Europe/Berlin"}}}
    version = (await api.post("/v1/policies", json=settings)).json()["version"]
    await api.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"})
    today = datetime.now(UTC).date()
    for back in (1, 20):
        until = (today - timedelta(days=back)).isoformat()
        found = await digest(api, until=until, period="7d")
        ends = [datetime.fromisoformat(found[name]) for name in ("from", "until")]
        assert [one.minute for one in ends] == [0, 0]
        assert (ends[1] - ends[0]).days in (6, 7)
    for same in ("7d", "1w", "P7D", "P1W"):
        found = await digest(api, period=same)
        first, last = (datetime.fromisoformat(found[name]) for name in ("from", "until"))
        assert (first.minute, first.second, first.microsecond) == (0, 0, 0)
        assert timedelta(days=7) <= last - first + timedelta(hours=1) <= timedelta(days=7, hours=3)


@pytest.mark.parametrize(
    ("query", "status", "pointer"),
    [
        ("period=0d", 422, "?period"),
        ("period=31d", 422, "?period"),
        ("period=P31D", 422, "?period"),
        ("period=5w", 422, "?period"),
        ("period=P1M", 422, "?period"),
        ("period=PT1H", 422, "?period"),
        ("period=7", 422, "?period"),
        ("period=", 422, "?period"),
        ("period=%FF", 422, "?period"),
        ("period=7d&period=7d", 422, "?period"),
        ("period=7d&from=2026-01-01", 422, "?period"),
        ("from=2020-01-01", 422, "?from"),
        ("from=2199-01-01", 422, "?from"),
        ("from=nonsense", 422, "?from"),
        ("until=2020-01-01", 422, "?until"),
        ("until=1970-01-01", 422, "?until"),
        ("until=x", 422, "?until"),
        ("after=nonsense", 400, "?after"),
        ("after=", 400, "?after"),
        ("after=1&period=7d", 400, "?after"),
        ("limit=0", 422, "?limit"),
        ("limit=51", 422, "?limit"),
        ("language=xx", 422, "?language"),
    ],
)
async def test_what_cannot_be_understood_is_refused(api: httpx.AsyncClient, query: str, status: int, pointer: str):
    for media in FORMS:
        answer = await api.get(f"{URL}?{query}", headers={"Accept": media})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)


async def test_a_cursor_and_a_period_do_not_go_together(api: httpx.AsyncClient):
    after = (await digest(api))["next"]
    answer = await api.get(URL, params={"after": after, "period": "7d"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "?after")


async def test_a_cursor_is_that_of_one_tenant(week: httpx.AsyncClient, caller: Caller):
    stranger = await caller("another-digest-tenant")
    after = (await digest(week))["next"]
    assert (await stranger.get(URL, params={"after": after})).status_code == 400
    assert (await digest(stranger))["items"] == []


# ----------------------------------------------------------------------------------------------------- forms, languages


class Page(HTMLParser):
    """What a page has, and whether its tags fit each other."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_mail_has_both_and_nothing_from_elsewhere(week: httpx.AsyncClient, language: str):
    said = (await week.get(URL, headers={"Accept-Language": language})).json()
    text = (await in_form(week, "text/plain", language)).text
    html = (await in_form(week, "text/html", language)).text
    mail = email.message_from_bytes(
        (await in_form(week, "message/rfc822", language)).content, policy=email.policy.default
    )
    assert text.splitlines()[:2] == [said["subject"], ""]
    assert mail["Subject"] == said["subject"]
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().splitlines() == text.splitlines()[2:]
    # As RFC 2045 and RFC 5322 have it, whatever anybody is called.
    lines = (await in_form(week, "message/rfc822", language)).content.split(b"\r\n\r\n", 1)[1].split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert rich.get_content().splitlines() == html.splitlines()
    page = Page(html)
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "style", "iframe", "form", "a"}
    assert not page.attributes & {"src", "href", "srcset", "background", "onload", "onerror", "action"}
    assert "url(" not in html
    # What others call themselves is text.
    assert "Aurora & Söhne <Hotels>" in page.text
    assert "<Hotels>" not in html
    for one in said["items"]:
        assert one["name"] in text
        assert one["name"] in page.text
    assert f"{said['items'][0]['first_step']}" in page.text
    assert all(len(line) <= 120 for line in text.splitlines())


async def test_each_language_has_its_own_words(week: httpx.AsyncClient):
    pages = {language: Page((await in_form(week, "text/html", language)).text).text for language in LANGUAGES}
    english = {*VERDICTS.values(), *CLIENT_TYPES.values(), *(sign.title for sign in SIGNS)} - {"part"}
    for language in LANGUAGES:
        if language != "en":
            # Whole words: nothing is left in English.
            assert [word for word in english if re.search(rf"\b{re.escape(word)}\b", pages[language])] == []
            assert speaker(language).translated("keep") in pages[language]


async def test_what_is_not_shown_is_counted(week: httpx.AsyncClient):
    found = await digest(week, limit=2)
    assert [one["client_id"] for one in found["items"]] == ["aurora", "flint"]
    assert found["not_shown"] == 3
    assert "not listed here: 3 clients" in (await in_form(week, "text/plain", limit=2)).text


async def test_what_takes_no_form_of_it_is_told_so(api: httpx.AsyncClient):
    assert (await api.get(URL, headers={"Accept": "image/png"})).status_code == 406


# ---------------------------------------------------------------------------------------------------------------- tags


async def test_a_digest_is_not_made_again_while_nothing_happens(week: httpx.AsyncClient, services: Services):
    for media in FORMS:
        for language in LANGUAGES:
            first = await in_form(week, media, language)
            headers = {"Accept": media, "Accept-Language": language, "If-None-Match": first.headers["etag"]}
            again = await week.get(URL, headers=headers)
            assert (again.status_code, again.content) == (304, b""), media
            assert again.headers["etag"] == first.headers["etag"]
            other = {**headers, "Accept": "text/plain" if media != "text/plain" else "text/html"}
            assert (await week.get(URL, headers=other)).status_code == 200
            assert (await week.get(URL, params={"limit": 3}, headers=headers)).status_code == 200
    tag = {"If-None-Match": (await week.get(URL)).headers["etag"]}
    await week.put("/v1/clients/aurora", json={"name": "Aurora Grand"})
    renamed = await week.get(URL, headers=tag)
    assert renamed.status_code == 200
    assert "Aurora Grand" in renamed.text
    tag = {"If-None-Match": renamed.headers["etag"]}
    await send(week, told_event(7, "contract.sent", "gamma", long_ago(1)))
    assert (await week.get(URL, headers=tag)).status_code == 200


# ---------------------------------------------------------------------------------------------------- the rule, in SQL


async def test_the_database_puts_changes_together_by_the_rule(api: httpx.AsyncClient, services: Services, tenant: str):
    """Any changes of any clients: what the statement says of them is what the rule says."""
    chance = random.Random(8)
    names = [f"c-{n}" for n in range(60)]
    kinds = ("contract.sent", "contract.declined", "contract.signed", "message.received", "contract.explained")
    await send(api, *(cloud_event(f"0-{name}", "contract.sent", name) for name in names[:30]))
    begin = (await digest(api, limit=50))["next"]
    told: list[dict[str, Any]] = []
    for turn in range(1, 7):
        some = chance.sample(names, 25)
        events = [
            told_event(turn, chance.choice(kinds), name, long_ago(200 - 20 * turn), channel="email") for name in some
        ]
        for one in events:
            one["data"] = {"channel": "email"} if one["type"] == "message.received" else {}
        answer = await api.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
        assert answer.json()["accepted"] == len(events), answer.text
        await api.get("/v1/clients?limit=1")
    after = begin
    while True:
        page = (await api.get("/v1/changes", params={"after": after, "limit": 200})).json()
        told += page["items"]
        after = page["next"]
        if not page["has_more"]:
            break
    expected: dict[str, str] = {}
    for name in {one["client_id"] for one in told}:
        mine = [one for one in told if one["client_id"] == name]
        before, last = _reading(mine[0]["before"]), _reading(mine[-1]["after"])
        assert last is not None
        expected[name] = net_kind(before, last, [Verdict(one["after"]["verdict"]) for one in mine])
    tenant_id = await services.keys.tenant(tenant)
    changes = services.digests._changes
    part = await changes.part(tenant_id, (await _place(services, tenant_id, begin)), None)
    net = await changes.net(tenant_id, part, 10_000, 1_000)
    counted = {kind: count for kind, count in net.counts.items() if count}
    assert counted == {kind: list(expected.values()).count(kind) for kind in set(expected.values())}
    assert len(counted) >= 4
    assert {one.client_id: one.kind for one in net.first} == {
        name: kind for name, kind in expected.items() if kind != "slight"
    }
    # Fewer changes than there are: the newest ones, and it says from when on.
    cut = await changes.net(tenant_id, part, 10, 1_000)
    assert cut.cut is not None
    assert sum(cut.counts.values()) <= 10


async def _place(services: Services, tenant_id: str, cursor: str) -> int:
    places = await services.cursors.of(tenant_id, "changes")
    return int(places.decode(cursor, 1)[0])


def _reading(found: dict[str, Any] | None) -> Reading | None:
    return None if found is None else Reading(found["score"], Verdict(found["verdict"]), found["client_type"])


async def test_a_place_is_found_by_its_instant(api: httpx.AsyncClient, services: Services, tenant: str):
    for name in "abcdefg":
        await send(api, cloud_event(name, "contract.sent", name))
    tenant_id = await services.keys.tenant(tenant)
    items = (await api.get("/v1/changes")).json()["items"]
    # A gap, as of a client that was erased.
    await api.delete("/v1/clients/c", headers={"If-Match": "*"})
    changes = services.digests._changes
    for place, one in enumerate(items):
        at = datetime.fromisoformat(one["at"])
        for instant, expected in ((at, place), (at + timedelta(microseconds=1), place + 1)):
            assert (await changes.part(tenant_id, instant, None)).after in (expected, expected - 1)
            assert (await changes.part(tenant_id, 0, instant)).until in (expected, expected - 1)
    assert (await changes.part(tenant_id, datetime(2000, 1, 1, tzinfo=UTC), None)).after == 0
    assert (await changes.part(tenant_id, datetime(2199, 1, 1, tzinfo=UTC), None)).after == len(items)


# ------------------------------------------------------------------------------------------------------------- GraphQL


async def ask(api: httpx.AsyncClient, arguments: str, portfolio: str = "") -> dict[str, Any]:
    query = (
        f"{{ portfolio{portfolio} {{ changes({arguments}) {{ from until subject text html notShown next "
        "counts { worse better new returned slight } items { clientId name kind before { score verdict clientType } "
        "after { score verdict clientType } between change rest remarks firstStep moneyAtRisk { amount currency } "
        "reasons { sign title decibans points sentence } } } } }"
    )
    answer = await api.post("/graphql", json={"query": query})
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_graphql_tells_the_same(week: httpx.AsyncClient, language: str):
    rest = (await week.get(URL, params={"language": language, "period": "7d", "limit": 3})).json()
    found = await ask(week, f'period: "P7D", first: 3, language: {language.upper()}')
    made = found["data"]["portfolio"]["changes"]
    assert made["counts"] == rest["counts"]
    assert (made["subject"], made["notShown"], made["next"]) == (rest["subject"], rest["not_shown"], rest["next"])
    assert made["text"] == (await in_form(week, "text/plain", language, limit=3)).text
    assert made["html"] == (await in_form(week, "text/html", language, limit=3)).text
    for one, other in zip(made["items"], rest["items"], strict=True):
        assert one["clientId"] == other["client_id"]
        assert one["kind"] == other["kind"].upper()
        assert one["after"]["verdict"] == other["after"]["verdict"].upper()
        assert one["after"]["score"] == pytest.approx(other["after"]["score"])
        assert one["firstStep"] == other["first_step"]
        assert [reason["sentence"] for reason in one["reasons"]] == [one["sentence"] for one in other["reasons"]]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ('period: "31d"', "period"),
        ('period: "7d", from: "2026-01-01"', "period"),
        ('from: "2020-01-01"', "from"),
        ('after: "x"', "after"),
        ("first: 0", "first"),
        ("first: 51", "first"),
    ],
)
async def test_graphql_names_the_argument(api: httpx.AsyncClient, arguments: str, argument: str):
    (error,) = (await ask(api, arguments))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}


async def test_graphql_goes_on_from_a_digest(api: httpx.AsyncClient):
    begin = (await ask(api, 'period: "1d"'))["data"]["portfolio"]["changes"]["next"]
    await send(api, cloud_event("a", "contract.sent", "a"))
    found = (await ask(api, f'after: "{begin}"'))["data"]["portfolio"]["changes"]
    assert [one["clientId"] for one in found["items"]] == ["a"]


async def test_graphql_looks_from_the_portfolios_day(week: httpx.AsyncClient):
    then = (datetime.now(UTC) - timedelta(days=2)).isoformat().replace("+00:00", "Z")
    found = (await ask(week, 'period: "10d"', f'(asOf: "{then}")'))["data"]["portfolio"]["changes"]
    assert found["counts"]["new"] == 4
