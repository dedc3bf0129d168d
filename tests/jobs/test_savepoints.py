"""Savepoints of released versions restore into today's jobs, which go on as if they had never stopped.

They are in ``savepoints/<version>/<job>/`` with the rows that had been delivered by then. They were taken in the middle
of windows, sessions and forests, with a clock 60 days behind: a restored job must depend on the stream only, not on how
long it was stopped. After a release, ``python -m tests.jobs.test_savepoints`` takes those of this version (or of the
jobs that are named); it needs a C compiler, for the clock.
If a test here fails, users would lose state with the next version. Change the job; or mark the change **state** in
CHANGELOG.md, say there what is lost, and take new savepoints.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra import flink
from tests.jobs.conftest import Flink
from tests.jobs.replay import REPLAYS, Replay, Services, running

pytestmark = [pytest.mark.flink, pytest.mark.kinesis]

FOLDER = Path(__file__).with_name("savepoints")
#: For each job: the number of records, after how many of them the savepoint is taken, and how many rows are delivered
#: by then. These are all rows so far, as a row on its way to a function would be delivered again after the restore.
COURSE = {
    "trades": (400, 201, 143),
    "ctr": (1100, 701, 15),
    "sessions": (400, 201, 78),
}
TAKEN = sorted(FOLDER.glob("*/*/delivered.json"))


def test_every_job_has_one_of_this_version() -> None:
    assert {p.parts[-3:-1] for p in TAKEN} >= {(version("kda-on-flink"), replay.name) for replay in REPLAYS}


@pytest.mark.parametrize("delivered", TAKEN, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_todays_job_continues_from_a_released_savepoint(
    mini_flink: Flink, tmp_path: Path, delivered: Path
) -> None:
    [replay] = [r for r in REPLAYS if r.name == delivered.parent.name]
    number, _, _ = COURSE[replay.name]
    records = replay.records(number)
    services = Services(records, visible=number)
    with running(mini_flink, replay, services, delivered.with_name("state")) as run:
        run.wait(rows=0)
        run.stop(tmp_path, drain=True)
    taken = json.loads(delivered.read_text())
    assert datetime.now(UTC) - datetime.fromisoformat(taken["at"]) > timedelta(days=30)
    before = {tuple(key) if isinstance(key, list) else key for key in taken["rows"]}
    after = {replay.key(row) for row in services.rows}
    assert before | after == replay.expected(records)
    # Rows that had been delivered do not come again, so the job did not start from the beginning.
    assert not before & after
    assert len(after) >= 5
    assert not services.errors


def take(replay: Replay, mini_flink: Flink, folder: Path) -> None:
    """Take a savepoint of a job into a folder."""
    from pyflink.java_gateway import get_gateway

    number, stop, rows = COURSE[replay.name]
    services = Services(replay.records(number), visible=stop)
    with tempfile.TemporaryDirectory() as temporary, running(mini_flink, replay, services) as run:
        run.wait(rows)
        # The Lambda sink removes acknowledged rows from its state once a second.
        time.sleep(5)
        state = run.stop(Path(temporary), drain=False)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(state, folder / "state")
    delivered = sorted({replay.key(row) for row in services.rows})
    # Java's clock, not this process's: state expires by it.
    now = get_gateway().jvm.System.currentTimeMillis() / 1000
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    (folder / "delivered.json").write_text(json.dumps({"at": at, "rows": delivered}) + "\n")
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder.name}: {size / 1000:.0f} kB, {len(delivered)} rows before it")


def put_clocks_back(folder: Path) -> None:
    """Set the clock of the next JVM, and of the Python workers in this process, 60 days back."""
    library = folder / "clock_behind.so"
    source = Path(__file__).with_name("clock_behind.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    from pyflink.fn_execution.datastream.process import timerservice_impl

    behind = timedelta(days=60).total_seconds()
    timerservice_impl.time = SimpleNamespace(time=lambda: time.time() - behind)


if __name__ == "__main__":
    names = sys.argv[1:] or [each.name for each in REPLAYS]
    with tempfile.TemporaryDirectory() as temporary:
        put_clocks_back(Path(temporary))
        flink.prepare("http://127.0.0.1:1", Path(temporary))
        for each in (r for r in REPLAYS if r.name in names):
            take(each, Flink(Path(temporary)), FOLDER / version("kda-on-flink") / each.name)
