"""Lab 2's job, stopped with a savepoint in the middle of sessions, gives the rows of a run without a stop."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.flink_version import stop_with_savepoint
from tests.jobs.clicks import RELATIONS, click
from tests.jobs.conftest import EPOCH, Flink, MemorySource, rows_of
from tests.readers import finished
from tests.waiting import until

pytestmark = pytest.mark.flink

COMPARED = ("intermediate", "closed", "late")
BEFORE = [
    ("a", 0),
    ("b", 3_000),
    ("a", 8_000),
    ("b", 9_000),
    ("c", 14_000),
    # In state when the job stops, as earlier clicks may still come.
    ("a", 17_000),
    ("b", 16_000),
]
AFTER = [
    # Late because of clicks before the stop, although it is the first click after it.
    ("a", 11_999),
    # In order with what waits in state; then exactly a gap behind it, and a millisecond more.
    ("c", 15_500),
    ("a", 27_000),
    ("b", 26_001),
    ("c", 25_500),
    ("c", 90_000),
    # The last one waits at the source, for what may arrive in the same millisecond.
    ("c", 91_000),
]


@dataclass(frozen=True)
class FolderSource:
    """An unbounded source: files of lines ``milliseconds after EPOCH, tab, record``, read as they appear."""

    folder: Path

    def records(self, table_env: Any, name: str) -> Any:
        from pyflink.table import Schema

        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE {name}_lines (line STRING) WITH ('connector' = 'filesystem', 'format' = 'raw',"
            f" 'path' = '{self.folder.as_uri()}', 'source.monitor-interval' = '100 ms')"
        )
        start = int(EPOCH.timestamp() * 1000)
        timed = table_env.sql_query(
            "SELECT ENCODE(SPLIT_INDEX(line, CHR(9), 1), 'UTF-8') AS `data`,"
            f" TO_TIMESTAMP_LTZ({start} + CAST(SPLIT_INDEX(line, CHR(9), 0) AS BIGINT), 3) AS rowtime FROM {name}_lines"
        )
        schema = (
            Schema.new_builder()
            .column("data", "BYTES")
            .column("rowtime", "TIMESTAMP_LTZ(3)")
            .watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
            .build()
        )
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema)


def put(folder: Path, name: str, clicks: list[tuple[str, int]], first: int) -> None:
    """Write a file of clicks that arrive a second apart; the file appears atomically."""
    lines = [f"{1000 * (100 + first + n)}\t{click(*c).decode()}\n" for n, c in enumerate(clicks)]
    part = folder.parent / name
    part.write_text("".join(lines))
    part.rename(folder / name)


def found(folder: Path) -> list[list[Any]]:
    """The rows in committed files."""
    return sorted(
        (
            list(json.loads(line).values())
            for path in finished(folder)
            for line in path.read_text().splitlines()
        ),
        key=repr,
    )


def compose(table_env: Any, mini_flink: Flink, source: Any, **sessions: str) -> str:
    """A query of the job's relations, with all columns as text."""
    groups = {"sessions": {"rows": "events"} | sessions}
    mini_flink.pipeline("sessions", table_env, {"source_sql_stream": source}, groups)
    return " UNION ALL ".join(
        f"SELECT '{n}', T.* FROM ({q}) AS T" for n, q in RELATIONS.items() if n in COMPARED
    )


def start(mini_flink: Flink, inbox: Path, outbox: Path, savepoint: str | None, **sessions: str) -> Any:
    options = {"execution.state-recovery.path": savepoint} if savepoint else {}
    table_env = mini_flink.environment(execution__checkpointing__interval="300 ms", **options)
    query = compose(table_env, mini_flink, FolderSource(inbox), **sessions)
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE outbox (relation STRING, a STRING, b STRING, c STRING, d STRING)"
        f" WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '{outbox.as_uri()}',"
        " 'sink.rolling-policy.rollover-interval' = '200 ms', 'sink.rolling-policy.check-interval' = '100 ms')"
    )
    return table_env.execute_sql(f"INSERT INTO outbox {query}").get_job_client()


def wait_for(rows: int, outbox: Path, relation: str) -> None:
    until(lambda: sum(row[0] == relation for row in found(outbox)) >= rows, f"{rows} rows of {relation}")


def test_a_restart_from_a_savepoint_in_the_middle_of_sessions_changes_nothing(
    mini_flink: Flink, tmp_path: Path
) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    inbox.mkdir()
    put(inbox, "before", BEFORE, 0)
    client = start(mini_flink, inbox, outbox, None)
    # Of the seven clicks two wait for newer ones (and c's, to be behind the watermark).
    wait_for(4, outbox, "intermediate")
    savepoint = stop_with_savepoint(client, tmp_path / "savepoints")
    assert sum(row[0] == "intermediate" for row in found(outbox)) == 4

    client = start(mini_flink, inbox, outbox, savepoint)
    put(inbox, "later", AFTER, len(BEFORE))
    # All but the late one, the last one, and the one that the last one's event time would let go.
    wait_for(len(BEFORE + AFTER) - 3, outbox, "intermediate")
    stop_with_savepoint(client, tmp_path / "savepoints", drain=True)

    table_env = mini_flink.environment()
    records = [(100 + n, click(*c)) for n, c in enumerate(BEFORE + AFTER)]
    unbroken = rows_of(table_env, compose(table_env, mini_flink, MemorySource(records)))
    assert found(outbox) == sorted((list(row) for row in unbroken), key=repr)
    assert sum(row[0] == "late" for row in unbroken) == 1
    assert {(row[1], row[4][24]) for row in unbroken if row[0] == "closed"} == {
        ("a", "4"),
        ("b", "3"),
        ("b", "1"),
        ("c", "3"),
        ("c", "2"),
    }
