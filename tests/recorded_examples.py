"""Records the examples of answers in the OpenAPI document: `python -m tests.recorded_examples` asks a fresh server.

To be run when an answer has changed: a test holds every example to its schema.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

import app.rest.openapi
from app.rest.openapi.examples import EVENTS, REQUESTS
from tests.cloud_events import BATCH, NDJSON, as_json
from tests.service import running
from tests.waiting import wait_until

FILE = Path(app.rest.openapi.__file__).with_name("examples.json")
AS_OF = "as_of=2026-10-01"
# Of the form of a secret, with a checksum that is wrong.
SECRET = "pw_" + "0" * 43 + "000001"
SIGNING_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def record(http: httpx.Client) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def add(name: str, answer: httpx.Response) -> httpx.Response:
        media = answer.headers["content-type"].partition(";")[0]
        value = answer.json() if media == "application/json" else answer.text
        found.setdefault(name, {})[f"{answer.raise_for_status().status_code} {media}"] = value
        return answer

    def body(name: str) -> Any:
        ((_, value),) = REQUESTS[name]["application/json"].values()
        return value

    for _ in range(2):  # made, and already there
        add("putClient", http.put("/v1/clients/acme", json=body("putClient")))
    one = {"Content-Type": "application/cloudevents+json"}
    add("sendEvents", http.post("/v1/events", content=as_json(EVENTS[0]), headers=one))
    add("sendEvents", http.post("/v1/events", content=as_json(list(EVENTS)), headers={"Content-Type": BATCH}))
    lines = b"".join(as_json(event) + b"\n" for event in EVENTS)
    add("sendEvents", http.post("/v1/events", content=lines, headers={"Content-Type": NDJSON}))
    add("listEvents", http.get("/v1/events?client_id=acme&limit=2"))
    add("getEvent", http.get("/v1/events/INV-17-issued"))
    catalogue = add("listEventTypes", http.get("/v1/event-types")).json()
    found["listEventTypes"] = {"200 application/json": {"items": catalogue["items"][:1]}}
    add("listClients", http.get(f"/v1/clients?{AS_OF}"))
    add("getClient", http.get("/v1/clients/acme"))
    with http.stream("GET", "/v1/changes", headers={"Accept": "text/event-stream"}) as stream:
        told = stream.iter_lines()
        # Where it begins, and the first change.
        text = "".join(f"{next(told)}\n" for _ in range(7))
    add("followChanges", http.get("/v1/changes?limit=1"))
    found["followChanges"]["200 text/event-stream"] = text
    for media in ("application/json", "text/plain", "text/html", "message/rfc822"):
        add("getPortfolioChanges", http.get("/v1/portfolio/changes?limit=1", headers={"Accept": media}))
    found["getPortfolioChanges"]["200 text/html"] = "<!doctype html>…"
    mail = found["getPortfolioChanges"]["200 message/rfc822"]
    found["getPortfolioChanges"]["200 message/rfc822"] = mail.partition("\r\n\r\n")[0] + "\r\n\r\n…"
    add("getScore", http.get(f"/v1/clients/acme/score?{AS_OF}"))
    add("getExplanation", http.get(f"/v1/clients/acme/explanation?{AS_OF}"))
    add("getHistory", http.get(f"/v1/clients/acme/history?{AS_OF}&step=month&from=2026-08-01"))
    add("getTimeline", http.get(f"/v1/clients/acme/timeline?{AS_OF}&limit=2"))
    add("getRecourse", http.get(f"/v1/clients/acme/recourse?{AS_OF}"))
    add("simulateEvents", http.post(f"/v1/clients/acme/simulate?{AS_OF}", json=body("simulateEvents")))
    version = add("draftPolicy", http.post("/v1/policies", json=body("draftPolicy"))).json()["version"]
    add("getPolicy", http.get(f"/v1/policies/{version}"))
    add("previewPolicy", http.get(f"/v1/policies/{version}/preview?{AS_OF}"))
    add("activatePolicy", http.post(f"/v1/policies/{version}/activate", headers={"If-Match": "*"}))
    add("listPolicies", http.get("/v1/policies"))
    key = add("createApiKey", http.post("/v1/api-keys", json=body("createApiKey"))).json()
    path = f"/v1/api-keys/{key['key_id']}"
    add("rotateApiKey", http.post(f"{path}/rotate", json=body("rotateApiKey")))
    add("getApiKey", http.get(path))
    add("listApiKeys", http.get("/v1/api-keys"))
    for name in ("createApiKey 201", "rotateApiKey 200"):
        operation, _, status = name.partition(" ")
        found[operation][f"{status} application/json"] |= {"hint": SECRET[:7], "secret": SECRET}
    record_webhooks(http, add, body)
    for name in ("createWebhook 201", "rotateWebhook 200"):
        operation, _, status = name.partition(" ")
        found[operation][f"{status} application/json"] |= {"secret": SIGNING_SECRET}
    add("getPortfolioMetrics", http.get("/v1/metrics?top=1"))
    for media in ("application/openmetrics-text", "text/plain"):
        text = add("getPortfolioMetrics", http.get("/v1/metrics?top=1", headers={"Accept": media})).text
        found["getPortfolioMetrics"][f"200 {media}"] = _beginning(text)
    add("listAuditLog", http.get("/v1/audit-log?limit=3"))
    http.delete("/v1/clients/acme").raise_for_status()
    erased = add("listErasures", http.get("/v1/erasures")).json()["items"][0]
    add("getErasure", http.get(f"/v1/erasures/{erased['digest']}"))
    found["eraseClient"] = {"202 application/json": {**erased, "finished_at": None}}
    add("listProblemTypes", http.get("/problems"))
    add("getProblemType", http.get("/problems/not-found"))
    for name in ("listProblemTypes", "getProblemType"):
        found[name]["200 text/html"] = "<!doctype html>…"
    add("getLiveness", http.get("/livez"))
    add("getReadiness", http.get("/readyz"))
    found["getMetrics"] = {"200 text/plain": "process_start_time_seconds 1.7804e+09\n"}
    return found


def record_webhooks(
    http: httpx.Client, add: Callable[[str, httpx.Response], httpx.Response], body: Callable[[str], Any]
) -> None:
    """With a receiver that takes what it is sent."""
    made = add("createWebhook", http.post("/v1/webhooks", json=body("createWebhook"))).json()
    path = f"/v1/webhooks/{made['webhook_id']}"
    add("changeWebhook", http.patch(path, json=body("changeWebhook")))
    add("rotateWebhook", http.post(f"{path}/rotate", json=body("rotateWebhook")))
    add("disableWebhook", http.post(f"{path}/disable"))
    add("enableWebhook", http.post(f"{path}/enable"))
    with taking() as url:
        http.patch(path, json={"url": url}).raise_for_status()
        add("pingWebhook", http.post(f"{path}/ping"))
        now = datetime.now(UTC)
        period = {"since": (now - timedelta(days=1)).isoformat(), "until": now.isoformat()}
        add("replayPeriod", http.post(f"{path}/replay", json=period))
        wait_until(lambda: http.get(f"{path}/deliveries").json()["items"][0]["state"] == "delivered", 60)
        http.patch(path, json=body("createWebhook")).raise_for_status()
        add("listDeliveries", http.get(f"{path}/deliveries"))
        add("getDelivery", http.get(f"{path}/deliveries/2"))
        http.post(f"{path}/disable").raise_for_status()
        add("replayDelivery", http.post(f"{path}/deliveries/2/replay"))
    add("skipDeliveries", http.post(f"{path}/skip"))
    http.post(f"{path}/enable").raise_for_status()
    add("listWebhooks", http.get("/v1/webhooks"))
    add("getWebhook", http.get(path))


@contextmanager
def taking() -> Iterator[str]:
    """A receiver of webhooks that takes what it is sent; its URL."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _beginning(text: str) -> str:
    """The first metrics, and the end where there is one."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:9], *(line for line in lines[-1:] if line == "# EOF\n")])


if __name__ == "__main__":
    with running(PARTWISE_WEBHOOK_NETWORKS="127.0.0.0/8") as service:
        key = service.key("examples", "ingest,read,manage,metrics")
        with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            FILE.write_text(json.dumps(record(client), indent=1, ensure_ascii=False) + "\n")
