"""`kda run` before its job runs: beside one of the same name, and ended by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli import run
from pipeline.catalog import find
from tests.waiting import until


def test_a_job_that_runs_or_starts_is_not_started_twice(tmp_path: Path) -> None:
    state = os.environ | {"KDA_STATE": str(tmp_path)}
    code = (
        "import sys; from infra import flink; flink.claim('ctr'); print('mine', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=state
    )
    command = [sys.executable, "-m", "cli.main", "run", "ctr", "--endpoint", "http://127.0.0.1:1"]
    try:
        assert first.stdout
        assert first.stdout.readline() == "mine\n"
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=state)
        assert done.returncode == 2
        assert done.stderr == f"kda: ctr runs already, as process {first.pid}: see `kda status`\n"
    finally:
        first.kill()
        first.wait()
    # Killed as it was, it holds nothing any more.
    again = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True, env=state)
    assert again.stdout == "mine\n", again.stderr


def test_stopped_before_its_tasks_run_it_says_so_and_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_with_savepoint(*_: Any) -> str:
        raise RuntimeError(
            "java.util.concurrent.ExecutionException: …\n"
            "Caused by: org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task Source "
            "(1/1) of job 7a5 is not being executed at the moment. Aborting checkpoint. Failure reason: Not all "
            "required tasks are currently running."
        )

    monkeypatch.setattr(run, "stop_with_savepoint", stop_with_savepoint)

    class Client:
        ended = False

        def cancel(self) -> Any:
            self.ended = True
            return self

        def result(self) -> None:
            pass

    client = Client()
    assert run._stop_with_savepoint(find("trades"), client) == 1
    assert client.ended
    assert capsys.readouterr().err.replace("\n", " ").strip() == (
        "trades: no savepoint could be taken: not all of its tasks ran yet. --resume goes on from the state before"
    )


def jvms(pid: int) -> list[psutil.Process]:
    """The processes of Flink that a process has started; not `java -version`, which ends at once."""
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            if "org.apache.flink.client.python.PythonGatewayServer" in child.cmdline():
                found.append(child)
    return found


@pytest.mark.flink
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_it_starts_is_one_line_and_leaves_nothing(number: int, tmp_path: Path) -> None:
    # Files alone: nothing is to be found before Flink starts.
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "one").write_text('{"tickerSymbol": "AMZN", "t": "2024-01-31T12:00:00Z"}\n')
    recording = [
        "source.type=recording",
        f"source.path={(tmp_path / 'records').as_uri()}",
        "source.event_time=$.t",
    ]
    properties = [*recording, "sink.type=none", f"errors.path={(tmp_path / 'errors').as_uri()}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "trades", *(w for p in properties for w in ("-p", p))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KDA_STATE": str(tmp_path)},
    )
    try:
        until(lambda: jvms(process.pid))
        (jvm,) = jvms(process.pid)
        # It holds the start up, however fast the machine is.
        jvm.suspend()
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (130, "", "kda: ended before the job started\n")
    until(lambda: not jvm.is_running())
