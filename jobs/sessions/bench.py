"""Benchmark of lab 2: its records and the relations that are counted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bench.job.labs import START, Lab, form_of

if TYPE_CHECKING:
    from bench.job.harness import Form

CLICKS_OF_A_USER, USERS_AT_ONCE = 10, 200
_CLICK = """{"user_id": "user{{random.number(99999)}}", "event_timestamp": "{{date.simTime("x")}}",
 "event_name": "search", "event_type": "click", "device_type": "desktop"}"""
CHAIN = Lab(
    "2: clicks of 100,000 users",
    "sessions",
    {},
    (_CLICK,),
    shards=50,
    backlog=400_000,
    live=200_000,
    pace=20_000,
    rate=50_000,
    through="SELECT user_id, device_type, event_timestamp, session_ms, last_session_ms FROM session_events",
    result="destination_sql_stream",
)


def write_clicks(path: Path, events: int) -> int:
    """Write lab 2's clicks, 10 ms apart; return the number of users. 200 users click in turn, ten times each."""
    block = USERS_AT_ONCE * CLICKS_OF_A_USER
    _write(path, ((START + 10 * n, n % USERS_AT_ONCE + n // block * USERS_AT_ONCE) for n in range(events)))
    return -(-events // block) * USERS_AT_ONCE


def write_random_clicks(path: Path, events: int, users: int, per_ms: int) -> None:
    """Write lab 2's clicks of random users, ``per_ms`` a millisecond."""
    random = Random(1)
    _write(path, ((START + n // per_ms, random.randrange(users)) for n in range(events)))


def _write(path: Path, clicks: Iterable[tuple[int, int]]) -> None:
    with path.open("w") as file:
        for ms, user in clicks:
            file.write(
                f'{ms}\t{{"user_id": "user{user}", "event_timestamp": "{ms}", "event_name": "search",'
                ' "event_type": "click", "device_type": "desktop"}\n'
            )


def form(path: Path, relation: str = "destination_sql_stream") -> Form:
    """The form that measures its session starts (one per user), or with "session_events" a row per click."""
    return form_of("sessions", path, relation, {})
