"""Programs of Prometheus that tests need, from Debian's package; without them a test fails and says how to get them."""

import shutil
import subprocess

__all__ = ["check_metrics", "program"]


def program(name: str) -> str:
    """The path of `promtool` or `prometheus`.

    Raises:
        AssertionError: it is not installed.
    """
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: apt-get install prometheus (it need not run)"
    return found


def check_metrics(text: str) -> str:
    """What `promtool check metrics` finds fault with in a text of Prometheus's own format; nothing where it is well."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, check=False, capture_output=True, text=True, timeout=60
    )
    told = (done.stdout + done.stderr).strip()
    return told or ("" if done.returncode == 0 else f"status {done.returncode}")
