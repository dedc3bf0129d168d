"""Deploys to the managed service from the page, after showing what is created and what it costs."""

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
    """The resources that a deployment creates, its role's permissions, and its cost."""
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
            "note": "list prices of us-east-1 in 2025, for parallelism 1 and streams of one shard; streams that exist "
            "already cost nothing extra",
            "page": prices.PAGE,
        },
    }


class Deployments:
    """The deployments of a console, one at a time per application.

    Parameters
    ----------
    folder : Path
        Holds their logs.
    command : callable or None
        Returns the command that deploys an application; None: this console can't deploy.
    """

    def __init__(self, folder: Path, command: Callable[[Application], Sequence[str]] | None) -> None:
        self._folder = folder
        self._command = command
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, application: Application) -> None:
        """Start to create or update an application and its resources on the service; it takes minutes.

        Raises
        ------
        StoreError
            The console uses a local AWS, or the application is being deployed already.
        """
        if self._command is None:
            raise StoreError("this console uses a local AWS: start one with `kda console --aws` to deploy")
        with self._lock:
            before = self._running.get(application.name)
            if before is not None and before.poll() is None:
                raise StoreError(f"{application.name} is being deployed already")
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._log(application.name).open("wb") as log:
                self._running[application.name] = subprocess.Popen(
                    # Without input it can't ask: if data would be deleted, it ends with the reason.
                    list(self._command(application)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def state(self, name: str) -> dict[str, Any]:
        """Whether this console can deploy, and the state of an application's newest deployment."""
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
    """The command that deploys an application to the real AWS, with properties as ``group.key=value``."""
    folder = str(application.folder.absolute())
    given = [word for assignment in assignments for word in ("-p", assignment)]
    return [sys.executable, "-m", "cli.main", "deploy", "up", folder, "--aws", *given]
