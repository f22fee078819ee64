"""docs/portfolio-metrics.md does what it says: its commands, its panel in a browser, its scrape job by Prometheus."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.guides import blocks_of, printed_by
from tests.node import API_TOOLS, installed, node_environment
from tests.prometheus import check_metrics, program
from tests.service import Service, free_port, running
from tests.waiting import until

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "portfolio-metrics.md").read_text()
BLOCKS = blocks_of(GUIDE)
FILES = {"html": "panel.html", "yaml": "prometheus.yml"}

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]


@dataclass
class Site:
    """A server, and another origin whose pages may ask it; with what the guide has made."""

    service: Service
    folder: Path
    port: int
    printed: list[str]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def block(self, language: str) -> str:
        (found,) = [text for name, text in BLOCKS if name == language]
        return str(found.replace("127.0.0.1:8000", f"127.0.0.1:{self.service.port}"))

    def tell(self, *events: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.service.key('my-studio')}", "Content-Type": BATCH}
        answer = httpx.post(f"{self.service.url}/v1/events", content=as_json(list(events)), headers=headers)
        assert answer.json()["accepted"] == len(events)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("guide"), free_port()
    (folder / "app").symlink_to(ROOT / "app")
    (folder / ".venv").symlink_to(sys.prefix)
    with running(PARTWISE_CORS_ORIGINS=f"http://127.0.0.1:{port}") as service:
        found = Site(service, folder, port, [])
        for language, name in FILES.items():
            (folder / name).write_text(found.block(language))
        promtool, path = Path(program("promtool")).parent, node_environment()["PATH"]
        environment = {
            **os.environ,
            "PARTWISE_HOME": str(service.home),
            "PORT": str(service.port),
            "PATH": f"{path}{os.pathsep}{promtool}",
        }
        found.printed = printed_by(BLOCKS, service.url, environment, folder)
        yield found


def test_its_commands_print_what_it_shows(site: Site):
    expected: list[str] = []
    for language, text in BLOCKS:
        if language == "bash":
            expected.append("")
        elif language == "json":
            expected[-1] = text.strip()
    assert site.printed == expected
    assert {language for language, _ in BLOCKS} == {"bash", "json", "promql", *FILES}


def test_promtool_finds_no_fault_with_the_text(site: Site):
    """Also where clients are shown by names that look like something else."""
    site.tell(cloud_event("odd", "client.created", 'x"} 1 \\n#', data={"name": "<img src=x> {}"}))
    key = site.service.key("my-studio", "metrics,read")
    url = f"{site.service.url}/v1/metrics?top=100&names=true"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {key}", "Accept": "text/plain"})
    assert "partwise_client_info" in answer.text
    assert check_metrics(answer.text) == ""


# --------------------------------------------------------------------------------------------------------------- panel


@contextmanager
def pages(site: Site, folder: Path) -> Iterator[None]:
    """The pages of a folder, from the other origin."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *told: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", site.port), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def panel(site: Site, folder: Path, token: str) -> Any:
    """What a browser shows."""
    assert BROWSER is not None, "Chromium is missing: apt-get install chromium"
    (folder / "panel.html").write_text(site.block("html").replace("TOKEN", token))
    with pages(site, folder):
        done = installed(API_TOOLS).run("panel_page.mjs", BROWSER, f"{site.origin}/panel.html")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# As for the page at /docs.
@pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="this machine has no Chromium")
def test_the_panel_shows_the_portfolio_in_a_browser(site: Site, tmp_path: Path):
    site.tell(cloud_event("named", "client.created", "hooli", data={"name": "<img src=x onerror=alert(1)>"}))
    key = site.service.key("my-studio", "metrics,read")
    metrics = httpx.get(
        f"{site.service.url}/v1/metrics?top=5&names=true", headers={"Authorization": f"Bearer {key}"}
    ).json()
    told = panel(site, tmp_path, key)
    assert told["errors"] == []
    assert told["images"] == 0, "what clients are called is no HTML"
    assert told["status"].startswith(f"{metrics['clients']} clients; in 30 days 0 got better, ")
    assert "At risk: 3200.00 USD." in told["status"]
    assert told["verdicts"] == [[one["verdict"], str(one["clients"])] for one in metrics["by_verdict"]]
    assert [row[0] for row in told["top"]] == [one["name"] or one["client_id"] for one in metrics["top"]]
    worst = metrics["top"][0]
    assert told["top"][0] == ["acme", worst["verdict"], "3200.00 USD", str(round(worst["score"]))]
    refused = panel(site, tmp_path, "pw_nonsense")
    assert refused["status"] == "Not available: Unauthenticated"


# ---------------------------------------------------------------------------------------------------------- Prometheus


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """A Prometheus of Debian's, with a configuration; its address."""
    port = free_port()
    (folder / "scrape.yml").write_text(config)
    command = [
        program("prometheus"),
        "--config.file=scrape.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.timeout(200)
async def test_prometheus_scrapes_by_the_documented_job(site: Site):
    config = site.block("yaml")
    assert "scrape_interval: 1m" in config
    with prometheus(site.folder, config.replace("scrape_interval: 1m", "scrape_interval: 1s")) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as asked:

            async def query(text: str) -> list[Any]:
                try:
                    answer = await asked.get("/api/v1/query", params={"query": text})
                except httpx.TransportError:
                    return []
                assert answer.status_code in (200, 503), answer.text
                found: list[Any] = answer.json()["data"]["result"] if answer.is_success else []
                return found

            async def value(text: str) -> float | None:
                found = await query(text)
                return float(found[0]["value"][1]) if found else None

            async def is_up() -> bool:
                return await value('up{job="partwise-portfolio"}') == 1

            await until(is_up, 60)
            for language, text in BLOCKS:
                if language == "promql":
                    assert await query(text), text
            metadata = await asked.get("/api/v1/metadata", params={"metric": "partwise_portfolio_score"})
            (told,) = metadata.json()["data"]["partwise_portfolio_score"]
            assert told["type"] == "gaugehistogram", "it was scraped as OpenMetrics"
            assert await value('partwise_portfolio_money_at_risk{currency="USD"}') == 3200
            assert await value('sum(partwise_client_verdict{client_id="acme"})') == 1
            site.tell(cloud_event("paid", "invoice.paid", "acme", data={"invoice": "INV-17"}))

            async def is_paid() -> bool:
                return await value('partwise_portfolio_money_at_risk{currency="USD"}') == 0

            await until(is_paid, 60)
