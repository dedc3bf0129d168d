"""Savepoints of released versions, restored into today's jobs, which go on as if never stopped.

They lie in ``savepoints/<version>/<job>/`` with the rows that had been delivered by then, taken in the middle of
windows, sessions and forests. After a release: ``python -m tests.jobs.test_savepoints`` takes those of this version.
When a test here fails, the next version loses what users have: change the job, or mark the change **state** in
CHANGELOG.md, say there what is lost, and take them anew.
"""

import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from infra import flink
from tests.jobs.conftest import Flink
from tests.jobs.replay import REPLAYS, Replay, Services, running

pytestmark = pytest.mark.flink

FOLDER = Path(__file__).with_name("savepoints")
#: Of each job: how many records there are, after how many the savepoint is taken, and with how many rows at least.
COURSE = {"trades": (400, 201, 100), "ctr": (1100, 701, 5), "sessions": (400, 201, 50)}
TAKEN = sorted(FOLDER.glob("*/*/delivered.json"))


def test_every_job_has_one_of_this_version() -> None:
    assert {p.parts[-3:-1] for p in TAKEN} >= {(version("kda-on-flink"), replay.name) for replay in REPLAYS}


@pytest.mark.parametrize("delivered", TAKEN, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_todays_job_goes_on_where_a_released_one_stopped(
    mini_flink: Flink, tmp_path: Path, delivered: Path
) -> None:
    [replay] = [r for r in REPLAYS if r.name == delivered.parent.name]
    number, _, _ = COURSE[replay.name]
    records = replay.records(number)
    services = Services(records, visible=number)
    with running(mini_flink, replay, services, delivered.with_name("state")) as run:
        run.wait(rows=0)
        run.stop(tmp_path, drain=True)
    before = {tuple(key) if isinstance(key, list) else key for key in json.loads(delivered.read_text())}
    after = {replay.key(row) for row in services.rows}
    assert before | after == replay.expected(records)
    # What had been delivered does not come again: it is no start from the beginning.
    assert not before & after
    assert len(after) >= 5
    assert not services.errors


def take(replay: Replay, mini_flink: Flink, folder: Path) -> None:
    """Take a savepoint of a job into a folder."""
    number, stop, rows = COURSE[replay.name]
    services = Services(replay.records(number), visible=stop)
    with tempfile.TemporaryDirectory() as temporary, running(mini_flink, replay, services) as run:
        run.wait(rows)
        state = run.stop(Path(temporary), drain=False)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(state, folder / "state")
    delivered = sorted({replay.key(row) for row in services.rows})
    (folder / "delivered.json").write_text(json.dumps(delivered) + "\n")
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder.name}: {size / 1000:.0f} kB, {len(delivered)} rows before it")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        flink.prepare("http://127.0.0.1:1", Path(temporary))
        for each in REPLAYS:
            take(each, Flink(Path(temporary)), FOLDER / version("kda-on-flink") / each.name)
