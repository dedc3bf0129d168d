"""Starts, stops and resumes an application's job on Managed Service for Apache Flink, and reports its state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.aws import Aws
from console.job_view import JobError, JobView
from infra import managed_flink
from infra.application_metrics import Metrics, measured
from infra.flink_health import Health

_LOOK_SECONDS = 5.0
#: The service's link to Flink's dashboard is valid for an hour.
_LINK_SECONDS = 3000.0
#: The service writes metrics once a minute, and each CloudWatch call costs money.
_MEASURE_SECONDS = 60.0
_WORDS = {
    "READY": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "STOPPING": "stopping",
    "FORCE_STOPPING": "stopping",
    "UPDATING": "starting",
    "AUTOSCALING": "restarting",
    "ROLLING_BACK": "restarting",
}


class ManagedJob:
    """One application on the service.

    Parameters
    ----------
    application : str
        Its name.
    aws : Aws
        Where the service is.
    stream : str
        Name of the stream that it reads.
    service : module
        Calls the service; :mod:`infra.managed_flink` by default.
    measure : callable
        Reads metrics of CloudWatch; :func:`infra.application_metrics.measured` by default.
    """

    def __init__(
        self,
        application: str,
        aws: Aws,
        stream: str,
        service: Any = managed_flink,
        measure: Callable[[Aws, str, str], Metrics] = measured,
    ) -> None:
        self._application = application
        self._aws = aws
        self._stream = stream
        self._service = service
        self._measure = measure
        self._metrics: tuple[float, Metrics] = (-_MEASURE_SECONDS, Metrics())
        self._view = JobView(Health("unknown"), measured=())
        self._trouble = ""
        self._asking: threading.Thread | None = None
        self._link: tuple[float, str | None] = (-_LINK_SECONDS, None)
        self._end = threading.Event()
        threading.Thread(target=self._watch, name=application, daemon=True).start()

    @property
    def view(self) -> JobView:
        """The application's state, some seconds old."""
        return self._view

    def start(self, resume: bool, leave_state: bool = False) -> None:
        """Start the application, without state or from its newest snapshot; it takes minutes.

        Raises
        ------
        JobError
            It is being started or stopped already.
        """
        self._ask(lambda: self._service.start(self._aws, self._application, from_snapshot=resume))

    def stop(self) -> None:
        """Stop the application with a snapshot; it takes minutes.

        Raises
        ------
        JobError
            It is being started or stopped already.
        """
        self._ask(lambda: self._service.stop(self._aws, self._application))

    def run(self, leave_state: bool = False) -> None:
        """Start the application from its newest snapshot, as :meth:`start`; a new version is deployed by a command."""
        if self._view.health.state != "stopped":
            raise JobError("deploy a new version of an application on the service with `kda deploy up`")
        self.start(True, leave_state)

    def close(self) -> None:
        """Stop watching; the application keeps running."""
        self._end.set()

    def _ask(self, call: Callable[[], Any]) -> None:
        if self._asking and self._asking.is_alive():
            raise JobError("the service is still starting or stopping the application: try again later")

        def asked() -> None:
            try:
                call()
            except Exception as error:  # shown on the page
                self._trouble = str(error)[:1000]

        self._trouble = ""
        self._asking = threading.Thread(target=asked, name=f"ask {self._application}", daemon=True)
        self._asking.start()

    def _watch(self) -> None:
        while not self._end.is_set():
            try:
                self._view = self._look()
            except Exception as error:  # shown, as the thread must not die
                self._view = JobView(Health("unknown", str(error)[:500]), trouble=self._trouble, measured=())
            self._end.wait(_LOOK_SECONDS)

    def _look(self) -> JobView:
        found = self._service.status(self._aws, self._application)
        if found is None:
            trouble = self._trouble or f"{self._application} is not deployed: kda deploy up"
            return JobView(Health("stopped"), trouble=trouble, measured=())
        state = _WORDS.get(found.status, found.status.lower())
        if state != "running":
            health = Health(state, resumable=bool(found.snapshots))
            return JobView(health, trouble=self._trouble, measured=())
        metrics, problem = self._measured()
        facts = {
            "failed": metrics.failed_checkpoints,
            "behind": metrics.behind_seconds,
            "late": metrics.late,
        }
        health = Health(
            state,
            reason=problem,
            url=self._dashboard(),
            resumable=bool(found.snapshots),
            behind_seconds=metrics.behind_seconds,
            failed_checkpoints=metrics.failed_checkpoints or 0,
            late=metrics.late or 0,
        )
        known = tuple(name for name, value in facts.items() if value is not None)
        return JobView(health, trouble=self._trouble, measured=known)

    def _measured(self) -> tuple[Metrics, str]:
        """The newest metrics, and why there are none: the permission to read them may be missing."""
        if time.monotonic() - self._metrics[0] > _MEASURE_SECONDS:
            try:
                found = self._measure(self._aws, self._application, self._stream)
            except (BotoCoreError, ClientError) as error:
                return Metrics(), str(error)[:500]
            self._metrics = (time.monotonic(), found)
        return self._metrics[1], ""

    def _dashboard(self) -> str | None:
        if time.monotonic() - self._link[0] > _LINK_SECONDS:
            self._link = (time.monotonic(), self._service.dashboard(self._aws, self._application))
        return self._link[1]
