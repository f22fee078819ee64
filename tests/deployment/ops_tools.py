"""The tools that check the deployment, from an environment of their own (requirements/ops-tools.lock)."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["COMPONENTS", "K8S", "OVERLAYS", "ROOT", "built", "manifests", "ops_tool"]

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))
COMPONENTS = sorted(path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml"))

_BIN = ROOT / ".venv-ops" / "bin"


def ops_tool(name: str, *arguments: str, stdin: str = "", cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run one of the tools to its end; nothing of it goes beyond this machine."""
    if not (_BIN / name).exists():
        raise AssertionError(f"{name} is not installed: run `make env-ops`")
    environment = {
        **os.environ,
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        # Whatever would ask for news or tell of itself fails at once.
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }
    return subprocess.run(
        [str(_BIN / name), *arguments],
        input=stdin,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@cache
def built(folder: str) -> str:
    """What kustomize makes of a folder of k8s/."""
    done = ops_tool("kubectl", "kustomize", str(K8S / folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(folder: str) -> list[dict[str, Any]]:
    """The objects of a folder of k8s/."""
    return [one for one in yaml.safe_load_all(built(folder)) if one]
