"""Clients that follow what changes, each by a library of its own, beside what else a test does."""

import json
import subprocess
import threading
from types import TracebackType
from typing import Any, Self

from tests.node import Packages, node_environment
from tests.waiting import wait_until

__all__ = ["LibraryFollower"]


class LibraryFollower:
    """A process of Node that subscribes by `graphql-ws` or `graphql-sse`, for as long as the block lasts."""

    def __init__(self, front_ends: Packages, library: str, url: str, key: str, **variables: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            front_ends.command("changes.mjs", library),
            cwd=front_ends.folder,
            env=node_environment()
            | {"GRAPHQL_URL": f"{url}/graphql", "API_KEY": key, "VARIABLES": json.dumps(variables)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))

    def told(self, name: str) -> list[Any]:
        """All that it has told under a name so far."""
        return [line[name] for line in self.lines if name in line]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [change for some in self.told("changes") for change in some]

    def wait_for(self, name: str, count: int = 1) -> list[Any]:
        wait_until(lambda: len(self.told(name)) >= count, 40)
        return self.told(name)
