"""The jobs of a cluster by its REST interface, whatever the cluster is."""

import contextlib
import json
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra import flink, flink_rest
from tests.waiting import until


class Jobs:
    """Jobs of the cluster at `rest`; their savepoints are in `folder`."""

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

    def logs(self) -> str:
        """What is shown when a wait fails."""
        return ""

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds; meanwhile the cluster need not answer."""

        def holds() -> Any:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return condition()

        try:
            until(holds, what)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.logs()}") from None

    def wait_for_slots(self, slots: int) -> None:
        self.wait(lambda: self.get("/overview")["slots-available"] >= slots, f"{slots} free slots")

    def wait_until_running(self, job: str, checkpoints: int = 1) -> None:
        """Return when all tasks run, and this many checkpoints completed since the last failure or start."""

        def running() -> bool:
            found = self.get(f"/jobs/{job}")
            before = self.get(f"/jobs/{job}/checkpoints")
            restored = (before["latest"].get("restored") or {}).get("restore_timestamp", 0)
            done = (before["latest"].get("completed") or {}).get("latest_ack_timestamp", 0)
            return (
                all(v["status"] == "RUNNING" for v in found["vertices"])
                and before["counts"]["completed"] >= checkpoints
                and done > restored
            )

        try:
            self.wait(running, f"job {job} to run")
        except AssertionError as e:
            raise AssertionError(f"{e}; {flink.root_cause(self.rest, job)}") from None

    def restarts(self, job: str) -> int:
        return int(self.get(f"/jobs/{job}/checkpoints")["counts"]["restored"])

    def completed(self, job: str) -> int:
        return int(self.get(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def wait_for_restart(self, job: str, before: int) -> None:
        self.wait(lambda: self.restarts(job) > before, f"job {job} to restart")

    def wait_for_checkpoint(self, job: str, before: int) -> None:
        self.wait(lambda: self.completed(job) > before, "a checkpoint")

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
