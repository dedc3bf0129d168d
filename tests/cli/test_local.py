"""`kda local`, in a folder of the test's own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from base.aws import Aws
from cli.local import app
from infra import cloudformation, local, stacks
from tests.fleet import fleet
from tests.readers import local_aws_pid
from tests.waiting import until

pytestmark = pytest.mark.aws


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "aws"
    monkeypatch.setattr(local, "DATA", folder)
    monkeypatch.setitem(cloudformation._WAIT, "Delay", 0.1)
    yield folder
    local.end(folder)


def kda_local(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def test_up_status_reset_down(data: Path) -> None:
    result = kda_local("status")
    assert (result.exit_code, result.output) == (
        1,
        "The local AWS does not run: start it with `kda local up`.\n",
    )

    up = kda_local("up")
    endpoint = local.find(data)
    assert endpoint is not None
    assert (up.exit_code, up.output) == (
        0,
        f"The local AWS is up at {endpoint} with the stacks of ctr, sessions, trades.\n",
    )
    status = kda_local("status")
    assert status.exit_code == 0
    assert "Demo-samples" in status.output
    bucket = stacks.outputs(Aws.local(endpoint), "trades")["AnomalyBucketName"]
    assert f"  {bucket}\n" in status.output, "in one piece"
    assert "CloudAcademyLabs" in status.output

    again = kda_local("up")
    assert (again.exit_code, again.output.partition(" with")[0]) == (
        0,
        f"The local AWS runs already at {endpoint}",
    )

    Aws.local(endpoint).client("s3").create_bucket(Bucket="mine")
    reset = kda_local("reset")
    assert (reset.exit_code, reset.output) == (0, f"The local AWS is empty and up at {endpoint}.\n")
    buckets = Aws.local(endpoint).client("s3").list_buckets()["Buckets"]
    assert "mine" not in [bucket["Name"] for bucket in buckets]
    assert len(buckets) == 5

    assert kda_local("down").output == "The local AWS is down.\n"
    assert local.processes(data) == {}
    assert not data.exists()
    down = kda_local("down")
    assert (down.exit_code, down.output) == (0, "The local AWS did not run; nothing is left of it.\n")


def test_an_application_that_is_no_lab_gets_its_stack_beside_them(data: Path, tmp_path: Path) -> None:
    """By its folder, from anywhere; what another application's stream is named for is reported."""
    shared = fleet(tmp_path)
    path = shared.folder / "application.yaml"
    path.write_text(path.read_text().replace("fleet-telemetry", "Demo-samples"))
    up = kda_local("up", str(shared.folder))
    assert up.exit_code == 0, up.output
    reported, last = up.output.splitlines()
    assert reported == "Kinesis Stream Demo-samples exists already and is used unchanged."
    assert last.endswith("with the stacks of ctr, sessions, trades, fleet.")
    status = kda_local("status").output
    assert "\nfleet:\n" in status
    assert "fleet-alerts\n" in status
    wrong = kda_local("up", str(tmp_path / "nowhere"))
    assert (wrong.exit_code, len(wrong.output.splitlines())) == (1, 1)
    assert "no such file" in wrong.output


def test_reset_starts_one_that_does_not_run(data: Path) -> None:
    assert kda_local("reset").exit_code == 0
    assert local.find(data) is not None


def test_a_port_in_use_is_one_line(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind((local.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = kda_local("up", "--port", str(port))
    assert (result.exit_code, result.output) == (
        1,
        f"kda local: port {port} of 127.0.0.1 is in use: choose another, or none for any free one\n",
    )


def test_up_after_a_kill_says_so(data: Path) -> None:
    kda_local("up")
    supervisor = local_aws_pid(data, "supervisor.py")
    emulator = next(pid for pid in local.processes(data) if pid != supervisor)
    os.kill(emulator, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        local._ANSWER_SECONDS, before = 0.3, local._ANSWER_SECONDS
        assert "dead, but its processes" in kda_local("status").output.replace("\n", " ")
        output = kda_local("up").output
    finally:
        local._ANSWER_SECONDS = before
    assert output.startswith("Found the remains of a local AWS that was killed, and ended them (processes ")
    assert local.find(data) is not None


def test_ctrl_c_ends_what_this_up_started_and_nothing_else(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stacks, "deploy", interrupt)
        assert kda_local("up").exit_code != 0
        assert local.processes(data) == {}
    kda_local("up")
    with monkeypatch.context() as patched:
        patched.setattr(stacks, "deploy", interrupt)
        assert kda_local("up").exit_code != 0
        assert local.find(data) is not None


def test_up_killed_midway_is_finished_by_the_next(data: Path) -> None:
    """At whatever moment: the first is killed as soon as its emulator exists, before the stacks are whole."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from infra import local; local.DATA = Path(sys.argv[1]); "
            "from cli.local import app; app(['up'])",
            str(data),
        ],
        stdout=subprocess.DEVNULL,
    )
    until(lambda: local.find(data), "an emulator")
    process.kill()
    process.wait()
    assert kda_local("up").exit_code == 0
    endpoint = local.find(data)
    assert set(stacks.deployed(Aws.local(str(endpoint)))) == {"ctr", "sessions", "trades"}
    assert kda_local("down").exit_code == 0
    assert local.processes(data) == {}
