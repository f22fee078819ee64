"""What clients ask of servers meanwhile: events, lists, single clients, GraphQL; steady, and never too much."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.cloud_events import BATCH, as_json, cloud_event

__all__ = ["Load", "burst", "loaded"]

CLIENTS = 40
PAUSE = 0.1
QUERY = "{ clients(first: 10) { edges { node { clientId score { verdict } } } } }"


@dataclass
class Load:
    """How many answers there were, by status; `lost` where there was none."""

    answers: Counter[str] = field(default_factory=Counter)


@contextmanager
def loaded(urls: Sequence[str], key: str, threads: int = 3) -> Iterator[Load]:
    """Ask each of several servers for as long as the block lasts."""
    load, ended = Load(), threading.Event()
    running = [
        threading.Thread(target=_ask, args=(url, key, f"{place}-{number}", ended, load), daemon=True)
        for place, url in enumerate(urls)
        for number in range(threads)
    ]
    for one in running:
        one.start()
    try:
        yield load
    finally:
        ended.set()
        for one in running:
            one.join(60)


def _ask(url: str, key: str, name: str, ended: threading.Event, load: Load) -> None:
    rng = random.Random(name)
    begun = time.time_ns()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=15) as http:
        for turn in itertools.count():
            if ended.wait(PAUSE * rng.random() * 2):
                return
            client = f"client-{rng.randrange(CLIENTS)}"
            try:
                if turn % 5 == 0:
                    answer = http.get("/v1/clients")
                elif turn % 5 == 1:
                    answer = http.post("/graphql", json={"query": QUERY})
                elif turn % 5 == 2:
                    answer = http.get(f"/v1/clients/{client}")
                else:
                    events = [
                        cloud_event(f"{begun}-{name}-{turn}-{one}", "message.received", client=client)
                        for one in range(10)
                    ]
                    answer = http.post("/v1/events", content=as_json(events), headers={"Content-Type": BATCH})
                load.answers[f"{answer.status_code // 100}xx"] += 1
            except httpx.TransportError:
                load.answers["lost"] += 1


@contextmanager
def burst(url: str, key: str, path: str, threads: int, content: bytes | None = None) -> Iterator[Load]:
    """Ask for the same as fast as the answers come, for as long as the block lasts."""
    load, ended = Load(), threading.Event()

    def ask() -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": BATCH}
        with httpx.Client(base_url=url, headers=headers, timeout=15) as http:
            while not ended.is_set():
                try:
                    answer = http.get(path) if content is None else http.post(path, content=content)
                    load.answers[f"{answer.status_code // 100}xx"] += 1
                except httpx.TransportError:
                    load.answers["lost"] += 1
                ended.wait(0.02)

    running = [threading.Thread(target=ask, daemon=True) for _ in range(threads)]
    for one in running:
        one.start()
    try:
        yield load
    finally:
        ended.set()
        for one in running:
            one.join(60)
