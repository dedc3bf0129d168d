"""Lab 2's clicks, and its job's relations over them. Times are literal milliseconds after START."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.jobs.conftest import EPOCH, Flink, MemorySource, rows_of

START = int(EPOCH.timestamp() * 1000)
#: Every relation with a destination, each row as one text: the output of a run.
RELATIONS = {
    "intermediate": "SELECT user_id, device_type, CAST(event_timestamp AS STRING), CAST(session_timestamp AS STRING)"
    " FROM intermediate_sql_stream",
    "destination": "SELECT user_id, session_id, session_time, latest_time FROM destination_sql_stream",
    "closed": "SELECT user_id, session_id, CAST(session_start AS STRING), CAST(session_end AS STRING) || ' '"
    " || CAST(number_of_events AS STRING) || ' ' || CAST(duration_ms AS STRING) || ' ' || CAST(pages AS STRING)"
    " FROM closed_sessions",
    "undecoded": "SELECT error_name, message, data_row, '' FROM source_sql_stream_errors",
    "impossible": "SELECT error_name, message, data_row, '' FROM impossible_clicks",
    "late": "SELECT error_name, message, data_row, CAST(CAST(data_rowtime AS TIMESTAMP(3)) AS STRING) FROM late_clicks",
}
Rows = dict[str, list[tuple[Any, ...]]]
Run = Callable[..., Rows]


def click(user: str, ms: int, device: str = "desktop", name: str = "search", digits: bool = True) -> bytes:
    """A record as the simulator sends it; its time is a string of digits, or a number."""
    time = START + ms
    return json.dumps(
        {
            "user_id": user,
            "event_timestamp": str(time) if digits else time,
            "event_name": name,
            "event_type": "click",
            "device_type": device,
        }
    ).encode()


def in_time(*clicks: tuple[Any, ...]) -> list[tuple[float, bytes]]:
    """Clicks that arrive at their event time."""
    return [(c[1] / 1000, click(*c)) for c in clicks]


def arriving(*clicks: tuple[Any, ...], every: float = 0.001) -> list[tuple[float, bytes]]:
    """Clicks that arrive in the given order, at nearly the same time, a day after their event time."""
    return [(86_400 + n * every, click(*c)) for n, c in enumerate(clicks)]


@pytest.fixture
def run(mini_flink: Flink) -> Run:
    """The rows of the relations for these records and property groups; a destination gets every click."""

    def relations(
        records: Sequence[tuple[float, bytes | None]], parallelism: int = 1, **groups: dict[str, Any]
    ) -> Rows:
        table_env = mini_flink.environment(parallelism__default=str(parallelism))
        groups["sessions"] = {"rows": "events"} | groups.get("sessions", {})
        mini_flink.pipeline("sessions", table_env, {"source_sql_stream": MemorySource(records)}, groups)
        union = " UNION ALL ".join(f"SELECT '{n}', T.* FROM ({q}) AS T" for n, q in RELATIONS.items())
        rows: Rows = {name: [] for name in RELATIONS}
        for name, *values in rows_of(table_env, union):
            rows[name].append(tuple(values))
        return rows

    return relations


def starts(rows: Rows, user: str) -> list[str]:
    return [start[11:] for u, _, _, start in rows["intermediate"] if u == user and start]
