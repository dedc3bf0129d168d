"""Lab 2's sessions of any stream of clicks equal those of its reference in plain Python."""

from datetime import datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.sessions.reference import Click, sessions
from tests.jobs.clicks import Run, click
from tests.jobs.clicks import run as run  # a fixture
from tests.jobs.conftest import EPOCH

GAP, DISORDER = 10_000, 5_000
#: Clicks of one to three users in order of arrival: time steps around the gap and the disorder, some backwards.
step = st.sampled_from([0, 1, 700, 9_999, 10_000, 10_001, 30_000, -1, -2_500, -5_000, -5_001, -20_000])
stream = st.lists(st.tuples(st.sampled_from("abc"), step), min_size=1, max_size=14)


def reference(clicks: list[tuple[str, int]]) -> tuple[list[tuple[str, int, int, int]], int]:
    """Compute sessions as (user, start, end, number of events), and the number of late clicks, in plain Python."""
    on_time, newest = [], 0
    for user, ms in clicks:
        newest = max(newest, ms)
        on_time += [(user, ms)] if ms >= newest - DISORDER else []
    found = sessions((Click(*c) for c in on_time), GAP)
    return [(s[0].user, s[0].ms, s[-1].ms, len(s)) for s in found], len(clicks) - len(on_time)


@pytest.mark.flink
def test_sessions_of_any_stream_are_those_of_the_reference(run: Run) -> None:
    streams: list[list[tuple[str, int]]] = []

    @given(stream)
    @hypothesis_settings(max_examples=300, derandomize=True, database=None)
    def collect(steps: list[tuple[str, int]]) -> None:
        # Each stream has days and users of its own, so one run of the job processes all streams.
        ms, clicks = len(streams) * 86_400_000 + 100_000, []
        for user, forward in steps:
            ms += forward
            clicks.append((f"{user}{len(streams)}", ms))
        streams.append(clicks)

    collect()
    clicks_of_all = [c for clicks in streams for c in clicks]
    arrivals = accumulate((ms / 1000 for _, ms in clicks_of_all), max)
    rows = run(
        [(arrival, click(*c)) for arrival, c in zip(arrivals, clicks_of_all, strict=True)],
        parallelism=2,
        sessions={"session_id": "date_and_time"},
    )
    found: dict[str, list[tuple[str, int, int, int]]] = {}
    for user, _, start, rest in rows["closed"]:
        ends, number = rest[:23], int(rest.split()[2])
        found.setdefault(user[1:], []).append((user, _ms(start), _ms(ends), number))
    started: dict[str, set[tuple[str, int]]] = {}
    for user, _, _, start in rows["intermediate"]:
        if start:
            started.setdefault(user[1:], set()).add((user, _ms(start)))
    late = 0
    for number, clicks in enumerate(streams):
        sessions, too_late = reference(clicks)
        assert sorted(found[str(number)]) == sessions, clicks
        assert started[str(number)] == {session[:2] for session in sessions}, clicks
        late += too_late
    assert len(rows["late"]) == late > 100


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH.replace(tzinfo=None)) // timedelta(milliseconds=1)
