"""Speed of ingest and of answers, one line each: `make bench`.

Numbers of one machine say little; compare two versions in one sitting, on the same machine, by their ratio.
"""

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from app.composition import SystemClock
from app.core.assessment import assess
from app.core.cost import cost_of_staying, window_begins
from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import portfolio_of
from app.core.signs import SIGNS
from app.core.strategies import Case, strategy_for
from app.wire.cloudevents import EventDecoder
from benchmarks.relationship import NOW, relationship
from benchmarks.stream import line
from tests.service import UNBOUND, running

ROUNDS = 3
BATCH = "application/cloudevents-batch+json"


def per_second(name: str, count: int, work: Callable[[], object]) -> None:
    """The median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - began))
    print(f"{name:52}{statistics.median(rates):12,.0f} /s", flush=True)


def latency(name: str, ask: Callable[[], object], count: int = 300) -> None:
    ask()
    times = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    print(f"{name:52}{statistics.median(times):9.2f} ms p50{times[int(count * 0.99)]:9.2f} ms p99", flush=True)


def core() -> None:
    decoder = EventDecoder(SystemClock())
    lines = [line(number) for number in range(20_000)]
    per_second("decode and validate an event", len(lines), lambda: [decoder.structured(one) for one in lines])
    history, policy = relationship(), DEFAULT_POLICY
    portfolio = portfolio_of({}, policy)
    latency(
        "explain a client with 1,000 events, core alone", lambda: explain("acme", history, policy, portfolio, NOW), 100
    )
    profile(history)


def profile(history: list[Event]) -> None:
    """Where the time of an explanation goes, part by part."""
    policy = DEFAULT_POLICY
    portfolio = portfolio_of({}, policy)
    facts = gather(history, policy, NOW)
    then = gather(history, policy, window_begins(policy, NOW))
    case = Case("acme", facts, policy, then)
    latency("  facts of 1,000 events, once", lambda: gather(history, policy, NOW), 100)

    def anew(work: Callable[[], object]) -> Callable[[], object]:
        """What was measured once is measured again, but for what comes before in the list."""

        def forgotten() -> object:
            facts.measures.clear()
            return work()

        return forgotten

    latency("  assessment, once of three times (with the trend)", anew(lambda: assess(facts, policy, portfolio)), 100)
    for sign in SIGNS:
        latency(f"    weight: {sign.name}", anew(partial(sign.weigh, facts, policy, portfolio)), 100)
    assess(facts, policy, portfolio)
    for sign in SIGNS:
        latency(f"    reason: {sign.name}", partial(sign.reason, facts, policy, portfolio), 100)
    latency("  cost of staying", lambda: cost_of_staying(facts, then, policy, portfolio), 100)
    latency("  strategy", lambda: strategy_for("scope_stretcher", case), 100)


def server() -> None:
    with running(**UNBOUND) as service:
        key = service.key("bench")
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
            sent = 0

            def send(batches: int, connections: int) -> None:
                nonlocal sent
                bodies = [
                    b"[" + b",".join(line(n) for n in range(sent + 500 * b, sent + 500 * (b + 1))) + b"]"
                    for b in range(batches)
                ]
                sent += 500 * batches
                with ThreadPoolExecutor(connections) as pool:
                    list(pool.map(lambda body: post(http, body), bodies))

            for connections in (1, 4):
                per_second(f"ingest in batches of 500, {connections} at once", 20_000, partial(send, 40, connections))
            for client, events in (("small", 10), ("middle", 100), ("large", 1000)):
                own = [json.loads(line(n)) | {"id": f"{client}-{n}", "subject": client} for n in range(events)]
                for start in range(0, events, 500):
                    post(http, json.dumps(own[start : start + 500]).encode())
                latency(f"score of a client with {events:,} events", partial(get, http, f"/v1/clients/{client}/score"))
            latency("explanation of a client with 100 events", partial(get, http, "/v1/clients/middle/explanation"))
            latency("page of 50 of 1,003 clients, asked again", partial(get, http, "/v1/clients?as_of=2026-01-01"))
            latency("page of 50 events", partial(get, http, "/v1/events"))


def post(http: httpx.Client, body: bytes) -> None:
    http.post("/v1/events", content=body, headers={"Content-Type": BATCH}).raise_for_status()


def get(http: httpx.Client, path: str) -> None:
    http.get(path).raise_for_status()


if __name__ == "__main__":
    core()
    server()
