"""Cases with a stop in their middle: half of the records, a savepoint, another job that goes on with the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import sql
from pipeline.application import ERRORS, Application
from pipeline.flink_version import stop_with_savepoint
from pipeline.settings import settings
from tests.kda_sql.case import Record
from tests.readers import finished
from tests.waiting import until

#: Marks the rows that say that a record was read.
_READ = "a record was read"


@dataclass(frozen=True)
class FileSource:
    """Records as lines of files in a folder, which is watched; where it has read to is in checkpoints."""

    folder: Path

    def write(self, name: str, records: Sequence[Record], quiet_until: int | None) -> int:
        """Put records there, and at last that nothing came until a time; how many lines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [
            {"at": r.at, "data": r.data.decode(), "shard": r.shard, "key": r.partition_key} for r in records
        ]
        lines += [{"at": quiet_until}] if quiet_until is not None else []
        hidden = self.folder / f".{name}"
        hidden.write_text("".join(json.dumps(line) + "\n" for line in lines))
        hidden.rename(self.folder / name)
        return len(lines)

    def records(self, table_env: Any, name: str) -> Any:
        """``data``, ``shard``, ``partition_key``, ``sequence_number`` and ``rowtime``."""
        from pyflink.table import Schema

        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE `{name}_lines` (line STRING) WITH ('connector' = 'filesystem',"
            f" 'path' = '{self.folder.as_uri()}', 'format' = 'raw', 'source.monitor-interval' = '200 ms')"
        )
        timed = table_env.sql_query(
            "SELECT CAST(JSON_VALUE(line, '$.data') AS BYTES) AS `data`, JSON_VALUE(line, '$.shard') AS shard,"
            " JSON_VALUE(line, '$.key') AS partition_key, JSON_VALUE(line, '$.at') AS sequence_number,"
            f" TO_TIMESTAMP_LTZ(CAST(JSON_VALUE(line, '$.at') AS BIGINT), 3) AS `rowtime` FROM `{name}_lines`"
        )
        schema = Schema.new_builder().column("data", "BYTES")
        for text in ("shard", "partition_key", "sequence_number"):
            schema.column(text, "STRING")
        schema.column("rowtime", "TIMESTAMP_LTZ(3)")
        schema.watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema.build())


def rows_of(
    cases: Sequence[tuple[dict[str, Sequence[Record]], int]],
    app: Application,
    wanted: Sequence[str],
    folder: Path,
    environment: Callable[..., Any],
) -> dict[str, list[tuple[str | None, dict[str, Any]]]]:
    """The rows of some relations, as (rowtime, columns), of both jobs together.

    Parameters
    ----------
    cases : sequence of (dict, int)
        Of each case its records by source relation, and until when nothing comes then. Each stops in its own middle.
    environment : callable
        Makes a table environment; keywords are Flink's options, as the jobs' tests write them.
    """
    sources: dict[str, FileSource] = {}
    first = 0
    later: list[Callable[[], int]] = []
    for records, quiet_until in cases:
        moments = sorted(r.at for rs in records.values() for r in rs)
        middle = moments[len(moments) // 2]
        for name, rs in records.items():
            source = sources[name] = FileSource(folder / f"in_{len(sources)}")
            first += source.write("1", [r for r in rs if r.at < middle], None)
            second = [r for r in rs if r.at >= middle]
            later.append(partial(source.write, "2", second, quiet_until))
    # One folder for both: a file that was open at the savepoint goes on where it was.
    savepoint = _run(app, sources, wanted, folder / "out", first, folder, None, environment)
    rest = sum(write() for write in later)
    _run(app, sources, wanted, folder / "out", first + rest, folder, savepoint, environment)
    found: dict[str, list[tuple[str | None, dict[str, Any]]]] = {name: [] for name in wanted}
    for row in _read(folder / "out"):
        name = ERRORS if row["relation"] == "all_errors" else row["relation"]
        if name in found:
            found[name].append((row.get("rowtime"), json.loads(row["data"])))
    return found


def _run(
    app: Application,
    sources: dict[str, FileSource],
    wanted: Sequence[str],
    out: Path,
    lines: int,
    folder: Path,
    savepoint: str | None,
    environment: Callable[..., Any],
) -> str:
    """Run until so many lines were read in all, and stop: the first job with its windows open, the second closed."""
    from pipeline.pipeline import Pipeline
    from pipeline.tap import tapped

    options = {"execution__checkpointing__interval": "500 ms"}
    if savepoint:
        options["execution__state_recovery__path"] = savepoint
    table_env = environment(**options)
    pipeline = Pipeline(table_env, app, settings(app, {}), dict(sources))
    pipeline.unite_errors()
    queries = [tapped(table_env, "all_errors" if name == ERRORS else name) for name in wanted]
    queries += [
        f"SELECT '{_READ}', CAST(rowtime AS TIMESTAMP(3)), '{{}}' FROM {sql.identifier(f'{name}_undecoded')}"
        for name in sources
    ]
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE rows_out (relation STRING, `rowtime` STRING, `data` STRING)"
        f" WITH ('connector' = 'filesystem', 'path' = '{out.as_uri()}', 'format' = 'json',"
        " 'sink.rolling-policy.rollover-interval' = '300 ms', 'sink.rolling-policy.inactivity-interval' = '300 ms',"
        " 'sink.rolling-policy.check-interval' = '100 ms')"
    )
    inserts = table_env.create_statement_set()
    union = "\nUNION ALL\n".join(queries)
    inserts.add_insert_sql(
        "INSERT INTO rows_out SELECT relation, CAST(rowtime AS STRING), data"
        f" FROM ({union}) AS each_row (relation, rowtime, data)"
    )
    client = inserts.execute().get_job_client()

    def all_read() -> bool:
        assert not str(client.get_job_status().result()).endswith("FAILED"), "the job failed"
        return sum(row["relation"] == _READ for row in _read(out)) >= lines

    try:
        until(all_read, f"{lines} lines")
        return stop_with_savepoint(client, folder / "savepoints", drain=savepoint is not None)
    except BaseException:
        client.cancel()
        raise


def _read(folder: Path) -> list[dict[str, Any]]:
    """What is written for good, in order."""
    files = sorted(finished(folder), key=lambda p: int(p.name.rpartition("-")[2].partition(".")[0]))
    return [json.loads(line) for p in files for line in p.read_text().splitlines()]
