"""A managed application on the page, with a stand-in for the service."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from base.aws import Aws
from console import managed
from console.job_view import JobError
from console.managed import ManagedJob
from infra.application_metrics import Metrics
from infra.managed_flink import ServiceError, Status
from tests.waiting import until


class Service:
    """A service with one application, whose start waits until the test lets it go on."""

    def __init__(self, status: str | None = "READY") -> None:
        self.now, self.asked, self.may = status, [], threading.Event()

    def status(self, aws: Aws, name: str) -> Status | None:
        return None if self.now is None else Status(name, self.now, 1, 1, ("snapshot",))

    def dashboard(self, aws: Aws, name: str) -> str:
        return "https://flink"

    def start(self, aws: Aws, name: str, from_snapshot: bool) -> None:
        self.asked.append(("start", from_snapshot))
        self.now = "STARTING"
        self.may.wait(10)
        self.now = "RUNNING"

    def stop(self, aws: Aws, name: str) -> None:
        raise ServiceError("kda-ctr can't be stopped")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "_LOOK_SECONDS", 0.02)


def test_start_takes_its_time_and_a_failure_is_reported() -> None:
    service = Service()
    asked: list[tuple[Aws, str, str]] = []

    def measure(*of: Any) -> Metrics:
        asked.append(of)
        return Metrics(behind_seconds=2.5, failed_checkpoints=0)

    job = ManagedJob("kda-ctr", Aws("us-east-1"), "clicks", service, measure)
    until(lambda: job.view.health.state == "stopped")
    assert job.view.health.resumable
    job.start(resume=True)
    until(lambda: job.view.health.state == "starting")
    with pytest.raises(JobError, match="still starting or stopping"):
        job.stop()
    service.may.set()
    until(lambda: job.view.health.url == "https://flink")
    assert service.asked == [("start", True)]
    shown = job.view.as_json()
    # Unknown figures are not shown: here the number of late records.
    assert (shown["measured"], shown["behind_seconds"]) == (("failed", "behind"), 2.5)
    assert asked == [(Aws("us-east-1"), "kda-ctr", "clicks")], "once a minute, and not while it does not run"
    until(lambda: not job._asking.is_alive())
    job.stop()
    until(lambda: job.view.trouble == "kda-ctr can't be stopped")
    job.close()


def test_an_application_that_is_not_there_says_what_to_do() -> None:
    job = ManagedJob("kda-ctr", Aws("us-east-1"), "clicks", Service(None))
    until(lambda: "kda deploy up" in job.view.trouble)
    job.close()


def test_a_job_whose_metrics_are_denied_still_runs() -> None:
    def refused(*_: Any) -> Metrics:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData")

    job = ManagedJob("kda-ctr", Aws("us-east-1"), "clicks", Service("RUNNING"), refused)
    until(lambda: job.view.health.state == "running")
    assert "AccessDenied" in job.view.health.reason
    assert job.view.as_json()["measured"] == ()
    job.close()
