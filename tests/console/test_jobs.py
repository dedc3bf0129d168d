"""A job's life on the page, with a stand-in for `kda run`: start, stop, resume, kill."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.job_view import JobError
from console.jobs import LocalJob
from infra.flink_health import Health
from tests import waiting

SCRIPT = """
import pathlib, signal, sys, time
def stop(*_):
    print("stopped"); marker.unlink(); sys.exit(0)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
if "--lost" in sys.argv:
    print("  no longer in ctr: GroupWindow(a)\\n  no longer in ctr: forest x\\nkda: agree with --yes"); sys.exit(2)
if "--fail" in sys.argv: print("kda: Kinesis stream x: not found"); sys.exit(2)
marker = pathlib.Path(sys.argv[1]); marker.write_text("resumed" if "--resume" in sys.argv else "fresh")
time.sleep(60)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LocalJob]]:
    made: list[LocalJob] = []
    marker = tmp_path / "runs"

    def look(name: str) -> Health:
        (tmp_path / "looked").touch()
        return Health("running", url="http://x", resumable=True) if marker.exists() else Health("stopped")

    def make(*arguments: str) -> LocalJob:
        command = [sys.executable, "-c", SCRIPT, str(marker), *arguments]
        made.append(LocalJob("ctr", command, tmp_path / "logs", look))
        return made[-1]

    yield make
    for job in made:
        job.close()


def until(job: LocalJob, state: str) -> None:
    waiting.until(lambda: job.view.health.state == state, f"{state}, {job.view}")


def test_start_stop_resume(make: Callable[..., LocalJob], tmp_path: Path) -> None:
    job = make()
    until(job, "stopped")
    # As in a server's thread pool: the thread of a request soon ends, and must not end the job.
    asking = threading.Thread(target=job.start, args=(False,))
    asking.start()
    asking.join()
    assert job.view.health.state == "starting"
    until(job, "running")
    with pytest.raises(JobError, match="runs already"):
        job.start(resume=False)
    assert (tmp_path / "runs").read_text() == "fresh"
    job.stop()
    until(job, "stopped")
    assert job.view.trouble == ""
    with pytest.raises(JobError, match="does not run"):
        job.stop()
    job.start(resume=True)
    until(job, "running")
    assert (tmp_path / "runs").read_text() == "resumed"


def test_a_new_version_takes_over_from_the_state_of_the_last(
    make: Callable[..., LocalJob], tmp_path: Path
) -> None:
    job = make()
    job.run()
    until(job, "running")
    assert (tmp_path / "runs").read_text() == "resumed"
    first = job._process
    job.run(leave_state=True)
    with pytest.raises(JobError, match="is stopping"):
        job.run()
    waiting.until(lambda: job._process is not first and job.view.health.state == "running", "the second one")
    assert job._process is not None
    assert job._process.args[-2:] == ["--resume", "--yes"]  # type: ignore[index]


def test_state_that_would_be_left_behind_is_named(make: Callable[..., LocalJob]) -> None:
    job = make("--lost")
    job.start(resume=True)
    until(job, "failed")
    assert job.view.left_behind == ("GroupWindow(a)", "forest x")
    assert "agree with --yes" in job.view.trouble


def test_a_killed_job_shows_as_such(make: Callable[..., LocalJob], tmp_path: Path) -> None:
    job = make()
    job.start(resume=False)
    until(job, "running")
    assert job._process is not None
    os.kill(job._process.pid, signal.SIGKILL)
    (tmp_path / "runs").unlink()
    until(job, "killed")
    assert "signal 9" in job.view.trouble
    # The next look gives the same answer; its view is there when one more begins.
    for _ in range(2):
        (tmp_path / "looked").unlink()
        waiting.until((tmp_path / "looked").exists, "another look")
    assert job.view.health.state == "killed"


def test_a_job_that_cannot_start_says_why(make: Callable[..., LocalJob]) -> None:
    job = make("--fail")
    job.start(resume=False)
    until(job, "failed")
    assert "not found" in job.view.trouble


def test_closing_the_console_stops_its_job(make: Callable[..., LocalJob], tmp_path: Path) -> None:
    job = make()
    job.start(resume=False)
    until(job, "running")
    job.close()
    assert not (tmp_path / "runs").exists()
