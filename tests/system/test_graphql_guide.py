"""docs/graphql.md as it stands: its commands print what it shows, and its limits are those of the code."""

import os
import re
import shutil
from pathlib import Path

import pytest

from app.edge import sockets as frames
from app.graphql.live import ends, event_streams, keeper, sockets
from app.settings import Settings
from app.use_cases import live_changes
from tests.guides import blocks_of, printed_by
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "graphql.md").read_text()
LIMITS = (DOCS / "limits.md").read_text()
BLOCKS = blocks_of(GUIDE)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="this machine has no curl or no jq")
def test_its_commands_print_what_it_shows(service: Service, tmp_path: Path):
    shown = [text.strip() for language, text in BLOCKS if language == "text"]
    environment = {**os.environ, "KEY": service.key("graphql-guide")}
    assert printed_by(BLOCKS, service.url, environment, tmp_path) == shown


def test_its_close_codes_are_those_of_the_code():
    table = GUIDE[GUIDE.index("| closed with |") :].partition("\n\n")[0]
    told = {int(code) for code in re.findall(r"\b[14]\d{3}\b", table)}
    ours = {value for value in vars(ends).values() if isinstance(value, int)} - {ends.INTERNAL}
    assert ours <= told
    assert told - ours == {1001, 1002, 1007, 1008, 1009}


def test_its_numbers_are_those_of_the_code():
    defaults = Settings.model_fields
    for number, text in (
        (keeper.LOOK_SECONDS, "looked at again every 15 seconds"),
        (frames._PING_SECONDS, "a ping of WebSocket every 15 seconds"),
        (event_streams._HEARTBEAT, "quiet for 15 seconds"),
        (live_changes._PAGE, "up to 50 changes"),
        (live_changes._KEPT, "more than 1,000 changes behind"),
        (sockets.INIT_SECONDS, "no `connection_init` within 10 seconds"),
        (sockets.MOST_OPERATIONS, "A connection has 100 operations"),
        (defaults["subscriptions_of_key"].default, "a key 1,000 subscriptions"),
        (defaults["subscriptions_of_tenant"].default, "a tenant 2,000"),
        (defaults["subscriptions"].default, "a server 5,000"),
        (defaults["read_seconds"].default / 3, "lie for 20 seconds"),
        (frames._MOST_FRAGMENTS, "over 64 fragments"),
        (frames.MOST_BYTES / 1024, "over 64 KiB"),
    ):
        assert text in GUIDE, text
        assert f"{number:,g}" in text, text
    for text in ("64 KiB; 64", "200 at once, then 20 a second", f"{frames._PING_SECONDS * frames._UNHEARD_PINGS:g} s"):
        assert text in LIMITS, text
    assert (sockets._MESSAGES, sockets._MESSAGES_A_SECOND) == (200, 20)
