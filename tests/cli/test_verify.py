"""`verify`: what was tampered with is found, and told with exit code 1."""

import asyncio
import uuid

import asyncpg
import pytest

from app.cli import main as cli
from app.composition import services_for
from app.ports.ledger import NewEvent
from app.ports.tenants import Tenant
from app.settings import Settings
from tests.cloud_events import as_json, cloud_event


@pytest.fixture
def tenant(database_url: str) -> Tenant:
    """Three clients, assessed."""
    name = f"tenant-{uuid.uuid4()}"

    async def tell() -> str:
        async with services_for(Settings().with_database(database_url)) as services:
            key = await services.keys.create(name, frozenset())
            tenant_id = (await services.keys.authenticate(key)).tenant_id
            told = [
                cloud_event(f"{kind}-{who}", kind, who) for who in "abc" for kind in ("contract.sent", "invoice.issued")
            ]
            sent = [services.decoder.structured(as_json(one)) for one in told]
            await services.record(tenant_id, [one for one in sent if isinstance(one, NewEvent)])
            assert await services.reassess.freshen(tenant_id) == 0
            return tenant_id

    return Tenant(asyncio.run(tell()), name)


def verify(name: str, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", "--tenant", name, *more])
    return int(str(ended.value.code or 0))


def execute(database_url: str, tenant_id: str, statement: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        try:
            # As whose it is, which is all that it may change.
            await connection.execute("SELECT set_config('app.tenant_id', $1, false)", tenant_id)
            done = await connection.execute(statement, tenant_id)
            assert done.split()[-1] != "0", done
        finally:
            await connection.close()

    asyncio.run(work())


@pytest.fixture(autouse=True)
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


def test_what_was_not_touched_is_fine(tenant: Tenant, capsys: pytest.CaptureFixture[str]):
    assert verify(tenant.name) == 0
    found = capsys.readouterr()
    assert found.out == ""
    # Each client's share and assessment, the portfolio, and what the clients add up to.
    assert found.err == "8 compared, 0 differ; 0 were not, as they are to be made anew anyway.\n"


def test_a_sample(tenant: Tenant, capsys: pytest.CaptureFixture[str]):
    assert verify(tenant.name, "--sample", "1") == 0
    assert capsys.readouterr().err.startswith("4 compared")


OF_B = "WHERE tenant_id = $1 AND client_id = 'b'"
SET = "UPDATE assessment SET"
MORE = "UPDATE tally_sum SET"
LONGER = f"{SET} content = content || '\\x00' {OF_B}"
# One bit of a number within.
SHARE = f"""UPDATE portfolio_share
    SET content = set_byte(content, length(content) - 20, get_byte(content, length(content) - 20) # 1) {OF_B}"""
OUTDATED = "client 'b': assessment: its stored assessment is outdated, and it is not due"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"{SET} score = score + 1e-9 {OF_B}", "client 'b': assessment: score: stored"),
        (f"{SET} change = 1 {OF_B}", "client 'b': assessment: change: stored 1.0"),
        (f"{SET} verdict = 'part' {OF_B}", "client 'b': assessment: verdict: stored 'part'"),
        (f"{SET} leading_sign = NULL {OF_B}", "client 'b': assessment: leading_sign: stored None"),
        (f"{SET} client_type = 'x' {OF_B}", "client 'b': assessment: client_type: stored 'x'"),
        (f"{SET} holds_until = now() + interval '9 days' {OF_B}", "client 'b': assessment: holds_until"),
        (LONGER, "client 'b': assessment: it cannot be read"),
        (SHARE, "client 'b': share: "),
        ("UPDATE portfolio SET content = set_byte(content, 15, 66) WHERE tenant_id = $1", "portfolio: it is not what"),
        (f"DELETE FROM assessment {OF_B}", OUTDATED),
        (f"DELETE FROM assessment {OF_B}", "tally: total in all: stored 3, comes to 2"),
        (f"{SET} tally = replace(tally, '\"1\"', '\"2\"') {OF_B}", "client 'b': assessment: tally: stored"),
        (f"{SET} tally = NULL {OF_B}", "tally: verdict renegotiate: stored 3, comes to 2"),
        (f"{MORE} amount = amount + 0.01 WHERE tenant_id = $1 AND term = 'score'", "tally: score in all: stored"),
        ("UPDATE verdict_change SET clients = 4 WHERE tenant_id = $1", "verdict renegotiate: stored 4, comes to 3"),
        (f"UPDATE client SET revision = revision + 1 {OF_B}", OUTDATED),
        (f"UPDATE client SET due_at = now() + interval '2 days' {OF_B}", OUTDATED),
    ],
)
def test_what_was_tampered_with_is_found(
    tenant: Tenant, database_url: str, capsys: pytest.CaptureFixture[str], statement: str, told: str
):
    execute(database_url, tenant.tenant_id, statement)
    assert verify(tenant.name) == 1
    assert f"tenant '{tenant.name}'" in (out := capsys.readouterr().out)
    assert told in out


def test_an_unknown_tenant_is_named(capsys: pytest.CaptureFixture[str]):
    assert verify("nobody") == 1
    assert capsys.readouterr().err == "error: there is no tenant 'nobody'\n"
