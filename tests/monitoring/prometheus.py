"""A real Prometheus that scrapes what it is told to, and what it makes of that."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.prometheus import program
from tests.service import free_port

__all__ = ["PORTFOLIO", "Prometheus", "prometheus"]

PORTFOLIO = "partwise-portfolio"
"""The job of a tenant's portfolio metrics."""
READY_SECONDS = 30


class Prometheus:
    """What one asks it, over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30)

    def close(self) -> None:
        self._http.close()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an expression at present.

        Raises:
            AssertionError: it cannot be evaluated.
        """
        answer = self._http.post("/api/v1/query", data={"query": expr})
        assert answer.is_success, f"{expr}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        found = self._http.get("/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def unhealthy_rules(self) -> list[str]:
        """Rules that could not be evaluated."""
        groups = self._http.get("/api/v1/rules").raise_for_status().json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert rules
        return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]

    def targets(self) -> dict[str, str]:
        """How each target is, by `job/instance`."""
        found = self._http.get("/api/v1/targets").raise_for_status().json()["data"]["activeTargets"]
        return {f"{one['labels']['job']}/{one['labels']['instance']}": one["health"] for one in found}


@contextmanager
def prometheus(
    home: Path, jobs: Mapping[str, Sequence[int]], rules: str, portfolio: tuple[int, str]
) -> Iterator[Prometheus]:
    """Run one for as long as the block lasts; it scrapes ports of this machine each second.

    Args:
        home: a folder for it.
        jobs: ports of operators, by job.
        rules: what it evaluates.
        portfolio: a port of clients, and a key for a tenant's portfolio metrics.
    """
    (home / "rules.yaml").write_text(rules)
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(home / "rules.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            for job, ports in jobs.items()
        ]
        + [
            {
                "job_name": PORTFOLIO,
                "metrics_path": "/v1/metrics",
                "authorization": {"credentials": portfolio[1]},
                "static_configs": [{"targets": [f"127.0.0.1:{portfolio[0]}"]}],
            }
        ],
    }
    (home / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (home / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={home / 'prometheus.yaml'}",
                f"--storage.tsdb.path={home / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
    found = Prometheus(f"http://127.0.0.1:{port}")
    try:
        _wait_ready(found, process, home)
        yield found
    finally:
        found.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(found: Prometheus, process: "subprocess.Popen[bytes]", home: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (home / "prometheus.log").read_text()
        try:
            if httpx.get(f"{found.url}/-/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("Prometheus is not ready: " + (home / "prometheus.log").read_text())
