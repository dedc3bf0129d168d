"""Lab 2's sessions in plain Python, to compare the job's with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple


class Click(NamedTuple):
    """A click: who, when (milliseconds since the epoch), with what."""

    user: str
    ms: int
    device: str = ""


def sessions(clicks: Iterable[Click], gap_ms: int) -> list[list[Click]]:
    """The clicks of each session, in order of user and time.

    Parameters
    ----------
    clicks : iterable of Click
        In any order; those of one user and time stay in this order.
    gap_ms : int
        Longest pause within a session.

    Examples
    --------
    >>> [len(session) for session in sessions([Click("a", 0), Click("b", 5), Click("a", 10), Click("a", 21)], 10)]
    [2, 1, 1]
    """
    found: list[list[Click]] = []
    for click in sorted(clicks, key=lambda c: (c.user, c.ms)):
        last = found[-1][-1] if found else None
        if last and last.user == click.user and click.ms - last.ms <= gap_ms:
            found[-1].append(click)
        else:
            found.append([click])
    return found


def session_id(first: Click, form: str = "%Y-%m-%dT%H:%M:%S.{ms:03d}Z") -> str:
    """The id of a session that begins with a click; ``form`` is the time's, by default that of ``date_and_time``.

    Examples
    --------
    >>> session_id(Click("a", 1_001, "phone"))
    'a_phone_1970-01-01T00:00:01.001Z'
    """
    at = datetime.fromtimestamp(first.ms // 1000, UTC).strftime(form).format(ms=first.ms % 1000)
    return f"{first.user}_{first.device}_{at}"
