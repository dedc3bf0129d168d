"""Deploying to the managed service from the page: what it makes and costs first, then the command itself."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import prices
from infra.existing import words
from infra.resources import STREAM, parts
from pipeline.application import Application
from pipeline.requirements import requirements
from pipeline.settings import settings
from workbench.store import StoreError

_LOG_BYTES = 20_000


def planned(application: Application, groups: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What a deployment makes, what its role may do, and what it costs."""
    chosen = settings(application, groups)
    made = parts(application, chosen)
    allowed = requirements(application, chosen).statements
    costs = prices.cost(sum(part.type == STREAM for part in made))
    return {
        "command": f"kda deploy up {application.name} --aws",
        "resources": [{"type": words(part.type), "name": part.name} for part in made],
        "role": [{"actions": s["Action"], "resource": s["Resource"]} for s in allowed],
        "cost": {
            "lines": [{"what": what, "dollars_an_hour": round(dollars, 4)} for what, dollars in costs.lines],
            "running_an_hour": round(costs.running, 4),
            "running_a_month": round(costs.running * prices.HOURS_A_MONTH, 2),
            "stopped_an_hour": round(costs.stopped, 4),
            "note": "list prices of us-east-1 as known in 2025, for parallelism 1 and streams of one shard; streams "
            "that are there already cost what they cost anyway",
            "page": prices.PAGE,
        },
    }


class Deployments:
    """The deployments of a console, one an application at a time.

    Parameters
    ----------
    folder : Path
        For what they print.
    command : callable or None
        The words that deploy an application's folder; None: not from here.
    """

    def __init__(self, folder: Path, command: Callable[[Application], Sequence[str]] | None) -> None:
        self._folder = folder
        self._command = command
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, application: Application) -> None:
        """Make its resources and its application on the service, or bring both up to date; it takes minutes.

        Raises
        ------
        StoreError
            The console talks to a local AWS, or a deployment of it is under way.
        """
        if self._command is None:
            raise StoreError(
                "this console talks to a local AWS: start one with `kda console --aws` to deploy"
            )
        with self._lock:
            before = self._running.get(application.name)
            if before is not None and before.poll() is None:
                raise StoreError(f"a deployment of {application.name} is under way")
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._log(application.name).open("wb") as log:
                self._running[application.name] = subprocess.Popen(
                    # Without input it asks nothing: what would delete data ends it with the reason.
                    list(self._command(application)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def state(self, name: str) -> dict[str, Any]:
        """Whether this console can deploy, and how the newest deployment of an application is."""
        process = self._running.get(name)
        code = process.poll() if process else None
        try:
            text = (
                self._log(name).read_bytes()[-_LOG_BYTES:].decode("utf-8", errors="replace")
                if process
                else ""
            )
        except OSError:
            text = ""
        return {
            "possible": self._command is not None,
            "running": process is not None and code is None,
            "failed": bool(code),
            "lines": text.splitlines(),
        }

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}-deploy.log"


def command(application: Application, assignments: Iterable[str] = ()) -> list[str]:
    """The words that deploy an application to the real AWS, with properties as ``group.key=value``."""
    folder = str(application.folder.absolute())
    given = [word for assignment in assignments for word in ("-p", assignment)]
    return [sys.executable, "-m", "cli.main", "deploy", "up", folder, "--aws", *given]
