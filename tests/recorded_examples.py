"""Records the examples of answers in the OpenAPI document: `python -m tests.recorded_examples` asks a fresh server.

To be run when an answer has changed: a test holds every example to its schema.
"""

import json
from pathlib import Path
from typing import Any

import httpx

import app.rest.openapi
from app.rest.openapi.examples import EVENTS, REQUESTS
from tests.cloud_events import BATCH, NDJSON, as_json
from tests.service import running

FILE = Path(app.rest.openapi.__file__).with_name("examples.json")
AS_OF = "as_of=2026-10-01"
# Of the form of a secret, with a checksum that is wrong.
SECRET = "pw_" + "0" * 43 + "000001"


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


def _beginning(text: str) -> str:
    """The first metrics, and the end where there is one."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:9], *(line for line in lines[-1:] if line == "# EOF\n")])


if __name__ == "__main__":
    with running() as service:
        key = service.key("examples", "ingest,read,manage,metrics")
        with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            FILE.write_text(json.dumps(record(client), indent=1, ensure_ascii=False) + "\n")
