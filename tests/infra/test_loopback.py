"""What a job on this machine opens: nothing that another machine could reach."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records

pytestmark = pytest.mark.flink

LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")


def descendants(parent: int) -> Iterator[int]:
    yield parent
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            yield from descendants(int(folder.name))


def listening(pids: set[int]) -> set[str]:
    """Addresses, in the kernel's form, on which some processes listen."""
    inodes = {
        fields[9]: fields[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A"
    }
    found = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                name = os.readlink(fd)
            except OSError:
                continue
            if name.startswith("socket:["):
                found.add(inodes.get(name[8:-1], ""))
    return found - {""}


@pytest.mark.parametrize("mode", ["loopback", "process"])
def test_a_running_job_listens_on_loopback_alone(
    mini_flink: Flink, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "process":
        monkeypatch.setenv("_python_worker_execution_mode", mode)
    table_env = mini_flink.environment()
    records = MemorySource([(n, b'{"id": 1}') for n in range(3)]).records(table_env, "numbers")
    rows, _, _ = decode_records(table_env, records, [Column("id", "INTEGER", "$.id")])
    table_env.create_temporary_view("decoded", rows)
    found = set()
    with table_env.sql_query("SELECT id FROM decoded").execute().collect() as result:
        for _ in result:
            found |= listening(set(descendants(os.getpid())))
    assert len(found) > 3, "the JVM, its servers for workers"
    assert sorted(a for a in found if a.rpartition(":")[0] not in LOOPBACK) == []
