"""The emulator's life: started, found again, killed in every way, and never left behind."""

import base64
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from base.aws import Aws
from infra import local
from tests.functions import deploy
from tests.readers import listening, local_aws_pid, local_aws_pids
from tests.waiting import until

pytestmark = pytest.mark.aws


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "aws"
    yield folder
    for pid in local.processes(folder):
        os.kill(pid, signal.SIGCONT)
    local.end(folder)


def emulator_of(data: Path) -> int:
    return local_aws_pid(data, "-m ministack", but="supervisor.py")


def supervisor_of(data: Path) -> int:
    return local_aws_pid(data, "supervisor.py")


def start_busy_function(endpoint: str, data: Path) -> int:
    """Start a Lambda function that is busy for a minute; return the process id of its worker."""
    code = "import time\ndef handler(event, context):\n    time.sleep(60)\n"
    deploy(Aws.local(endpoint), "busy", code, 90).invoke(FunctionName="busy", InvocationType="Event")
    # A worker that was just forked has its emulator's command line still.
    (worker,) = until(lambda: local_aws_pids(data, "_worker.py"))
    return worker


def test_it_starts_is_found_and_ends(data: Path) -> None:
    assert local.find(data) is None
    started = local.start(data=data)
    assert not started.already_running
    assert local.find(data) == started.endpoint
    assert local.start(data=data) == local.Started(started.endpoint, already_running=True)
    assert len(local.remove(data)) == 2
    assert local.find(data) is None
    assert not data.exists()
    assert local.remove(data) == ()


def test_it_listens_on_loopback_alone(data: Path) -> None:
    port = int(local.start(data=data).endpoint.rpartition(":")[2])
    found = {address for pid in local.processes(data) for address in listening(pid) if address[1] == port}
    assert found == {("127.0.0.1", port)}


def test_a_given_port_is_used_and_another_one_refused_while_it_runs(data: Path) -> None:
    with socket.socket() as probe:
        probe.bind((local.HOST, 0))
        port = probe.getsockname()[1]
    assert local.start(port, data).endpoint == f"http://127.0.0.1:{port}"
    assert local.start(port, data).already_running
    with pytest.raises(local.LocalAwsError, match=f"runs at .*{port} already, not at port 1234"):
        local.start(1234, data)


def test_a_port_in_use_is_named_and_nothing_is_left(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind((local.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(local.LocalAwsError, match=f"port {port} of 127.0.0.1 is in use"):
            local.start(port, data)
    assert local.processes(data) == {}


def test_another_emulator_at_the_port_is_not_taken_for_ours(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    port = int(local.start(data=other).endpoint.rpartition(":")[2])
    # As if it had taken the port between the look at it and its use.
    monkeypatch.setattr(local, "_is_free", lambda port: True)
    try:
        with pytest.raises(local.LocalAwsError, match="did not start"):
            local.start(port, data)
        assert local.processes(data) == {}
        assert local.find(other) is not None
    finally:
        local.end(other)


def test_killing_the_emulator_ends_its_lambda_workers_too(data: Path) -> None:
    worker = start_busy_function(local.start(data=data).endpoint, data)
    until(lambda: worker in local.processes(data))
    os.kill(emulator_of(data), signal.SIGKILL)
    until(lambda: not local.processes(data))


def test_killing_the_supervisor_ends_the_emulator_and_the_next_start_finds_the_worker(data: Path) -> None:
    worker = start_busy_function(local.start(data=data).endpoint, data)
    os.kill(supervisor_of(data), signal.SIGKILL)
    # A worker whose emulator is gone may end by itself before it is looked for.
    until(lambda: set(local.processes(data)) <= {worker})
    assert local.find(data) is None
    assert local.start(data=data).remains_ended in ((worker,), ())
    assert worker not in local.processes(data)


def test_objects_survive_a_killed_emulator(data: Path) -> None:
    s3 = Aws.local(local.start(data=data).endpoint).client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"here")
    os.kill(emulator_of(data), signal.SIGKILL)
    until(lambda: not local.processes(data))
    again = local.start(data=data)
    assert not again.already_running
    body = Aws.local(again.endpoint).client("s3").get_object(Bucket="kept", Key="a/b")["Body"].read()
    assert body == b"here"


def test_an_emulator_that_hangs_is_replaced(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local.start(data=data)
    hanging = emulator_of(data)
    os.kill(hanging, signal.SIGSTOP)
    monkeypatch.setattr(local, "_ANSWER_SECONDS", 0.3)
    assert local.find(data) is None
    monkeypatch.undo()
    monkeypatch.setattr(local, "_ANSWER_SECONDS", 1.0)
    assert hanging in local.start(data=data).remains_ended


def starter(data: Path, with_parent: bool, then: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from infra import local; "
            f"local.start(data=Path(sys.argv[1]), with_parent={with_parent}); "
            f"print('up', flush=True); {then}",
            str(data),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_starter_killed_midway_leaves_one_that_the_next_start_finds(data: Path) -> None:
    process = starter(data, with_parent=False, then="time.sleep(60)")
    until(lambda: local.processes(data))
    process.kill()
    process.communicate()
    # It may not have been up yet when its starter was killed: then it is found as remains.
    again = local.start(data=data)
    assert again.already_running or again.remains_ended
    assert local.find(data) == again.endpoint
    assert len(local.processes(data)) == 2


def test_it_outlives_a_starter_that_is_done(data: Path) -> None:
    process = starter(data, with_parent=False, then="pass")
    process.communicate(timeout=30)
    assert local.find(data) is not None


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_bound_to_its_parent_it_ends_with_it(data: Path, end: signal.Signals) -> None:
    process = starter(data, with_parent=True, then="time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(end)
    process.communicate()
    until(lambda: not local.processes(data))


def test_the_block_ends_it_whatever_happens_inside(data: Path) -> None:
    def fail_inside() -> None:
        with local.running_local_aws(data) as aws:
            assert local.find(data) == aws.endpoint
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert local.processes(data) == {}


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "aws").write_text("no folder")
    with pytest.raises(local.LocalAwsError, match="must be a folder that can be written"):
        local.start(data=tmp_path / "aws")
    with pytest.raises(local.LocalAwsError, match="must be a folder"), local.lock(tmp_path / "aws" / "x"):
        pass


def test_rubbish_in_the_folder_does_not_stop_it(data: Path) -> None:
    for name in ("s3/rubbish", "s3/000000000000/\x01\xff", "state/s3.json", "state/kinesis.json", "tmp/x"):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode("AAEC//8="))
    assert Aws.local(local.start(data=data).endpoint).client("s3").list_buckets()["Buckets"] is not None
    assert not (data / "tmp" / "x").exists()


def test_a_process_that_only_names_the_folder_is_not_ours(data: Path) -> None:
    """What a stale pid file with a recycled process id would lead to: there is none to go stale."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(data)])
    try:
        assert local.end(data) == ()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_one_command_at_a_time(data: Path) -> None:
    order = []

    def second() -> None:
        with local.lock(data):
            order.append("second")

    with local.lock(data):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
