"""Packages of npm that the tests run, in one folder under ``build/``."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

from infra.paths import BUILD

FOLDER = BUILD / "emulators"


def package(name: str) -> Path:
    """Where an installed package lies."""
    return FOLDER / "node_modules" / name


@functools.cache
def install(name: str, version: str) -> str | None:
    """Install a package, once; return why that is not possible, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return (
            f"node and npm are required for {name} (apt-get install nodejs npm): what needs it is NOT tested"
        )
    if not package(name).exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", f"{name}@{version}"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            return f"npm could not install {name}: what needs it is NOT tested: {done.stderr[-300:]}"
    return None
