"""Labs 1 and 2 as they are shipped, decoder and all, over records from a file: what a Kinesis source is not part of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from pipeline.catalog import find
from pipeline.pipeline import Pipeline, RecordSource
from pipeline.settings import settings

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

    from bench.job.harness import Form

#: Midnight, so that windows begin with the records; in milliseconds.
START = 1_700_006_400_000
CLICKS_OF_A_USER, USERS_AT_ONCE = 10, 200


@dataclass(frozen=True)
class Files:
    """Lines ``arrival in epoch milliseconds, tab, record``; read once."""

    path: Path

    def check(self) -> None: ...

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table:
        """As every source gives them."""
        from pyflink.table import Schema

        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE {name}_lines (line STRING) WITH ('connector' = 'filesystem', 'format' = 'raw',"
            f" 'path' = '{self.path.as_uri()}')"
        )
        timed = table_env.sql_query(
            "SELECT ENCODE(SPLIT_INDEX(line, CHR(9), 1), 'UTF-8') AS `data`,"
            f" TO_TIMESTAMP_LTZ(CAST(SPLIT_INDEX(line, CHR(9), 0) AS BIGINT), 3) AS rowtime FROM {name}_lines"
        )
        schema = (
            Schema.new_builder()
            .column("data", "BYTES")
            .column("rowtime", "TIMESTAMP_LTZ(3)")
            .watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
        )
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema.build())


def write_actions(path: Path, records: int, per_ms: int) -> None:
    """Lab 1's clicks and impressions, half of each, so many a millisecond."""
    with path.open("w") as file:
        for n in range(records):
            action = {"browseraction": ("Click", "Impression")[n % 2], "site": "https://www.mysite.com"}
            file.write(f"{START + n // per_ms}\t{json.dumps(action)}\n")


def write_clicks(path: Path, events: int) -> int:
    """Lab 2's clicks, 10 ms apart; return of how many users: each clicks ten times beside 199 others, then never."""
    block = USERS_AT_ONCE * CLICKS_OF_A_USER
    _write(path, ((START + 10 * n, n % USERS_AT_ONCE + n // block * USERS_AT_ONCE) for n in range(events)))
    return -(-events // block) * USERS_AT_ONCE


def write_random_clicks(path: Path, events: int, users: int, per_ms: int) -> None:
    """Lab 2's clicks, so many a millisecond, each of any user: all of them are there all the time."""
    random = Random(1)
    _write(path, ((START + n // per_ms, random.randrange(users)) for n in range(events)))


def _write(path: Path, clicks: Iterable[tuple[int, int]]) -> None:
    with path.open("w") as file:
        for ms, user in clicks:
            file.write(
                f'{ms}\t{{"user_id": "user{user}", "event_timestamp": "{ms}", "event_name": "search",'
                ' "event_type": "click", "device_type": "desktop"}\n'
            )


def lab1(path: Path) -> Form:
    """Its scores, one a window of a second."""
    return _lab("ctr", path, "scores", {"window": {"size": "1"}})


def lab2(path: Path, relation: str = "destination_sql_stream") -> Form:
    """Its session starts, one for each user's ten clicks; or "session_events", a row for each click."""
    return _lab("sessions", path, relation, {})


def _lab(name: str, path: Path, relation: str, given: dict[str, dict[str, str]]) -> Form:
    def form(table_env: StreamTableEnvironment) -> Table:
        compose(table_env, name, Files(path), given)
        return table_env.from_path(relation)

    return form


def compose(
    table_env: StreamTableEnvironment, name: str, source: RecordSource, given: dict[str, dict[str, str]]
) -> Pipeline:
    """Make a lab's relations over any source; nothing is delivered yet."""
    application = find(name)
    return Pipeline(table_env, application, settings(application, given), {"source_sql_stream": source})
