"""Pages of docs/ whose blocks are run: what their commands print is what they show."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Block", "blocks_of", "printed_by"]

Block = tuple[str, str]
"""The language of a block, and its text."""

_MARK = "@@@"


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page in Markdown."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def printed_by(
    blocks: Sequence[Block],
    url: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
    seconds: float | None = 100,
) -> list[str]:
    """What each block for bash prints, all in one shell that ends with the first failure; they ask a URL."""
    commands = [text.replace("http://127.0.0.1:8000", url) for language, text in blocks if language == "bash"]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"\necho {_MARK}\n".join(commands)],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip() for part in done.stdout.split(_MARK)]
