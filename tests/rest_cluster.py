"""What all clusters of real processes have in common: Flink's REST API."""

import contextlib
import json
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra import flink_rest
from tests.waiting import until


class RestCluster:
    """A running cluster.

    Attributes
    ----------
    rest : str
        URL of its REST interface.
    folder : Path
        Everything it writes, with its logs under ``log``.
    """

    rest: str
    folder: Path

    def get(self, path: str) -> Any:
        return flink_rest.get(self.rest + path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(
            self.rest + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds; meanwhile the cluster need not answer."""

        def holds() -> Any:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return condition()

        until(holds, f"{what}: see {self.folder / 'log'}")

    def stop_job(self, job: str, *, drain: bool = False) -> str:
        """Stop with a savepoint and return it; with ``drain`` all windows close first."""
        body = {"drain": drain, "targetDirectory": (self.folder / "state").as_uri()}
        trigger = self.post(f"/jobs/{job}/stop", body)["request-id"]
        outcome: dict[str, Any] = {}

        def done() -> bool:
            outcome.update(self.get(f"/jobs/{job}/savepoints/{trigger}"))
            return bool(outcome["status"]["id"] == "COMPLETED")

        self.wait(done, "the savepoint")
        if "failure-cause" in outcome["operation"]:
            raise RuntimeError(outcome["operation"]["failure-cause"]["stack-trace"][:3000])
        return str(outcome["operation"]["location"])
