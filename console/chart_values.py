"""Values of rows for charts, and which rows of two relations are the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_MOST_CHARACTERS = 60


def is_number(value: Any) -> bool:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def text(value: Any) -> str:
    """A value as short text. HTML is escaped, as Plotly would interpret some of it."""
    shown = "" if value is None else str(value)[:_MOST_CHARACTERS]
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def time_text(value: Any) -> str:
    """A time as Plotly reads it."""
    return text(value).replace(" ", "T").removesuffix("Z")


def same_name(row: Row, name: str) -> str | None:
    """The row's column of a name, ignoring case; None: it has none.

    Examples
    --------
    >>> same_name({"WINDOW_END": 1}, "window_end")
    'WINDOW_END'
    """
    return name if name in row else next((c for c in row if c.lower() == name.lower()), None)


def latest(values: Iterable[str], most: int) -> list[str]:
    """The distinct values, sorted; if there are more than `most`, the latest ones.

    Examples
    --------
    >>> latest(["c", "b", "a", "b"], 2)
    ['a', 'b']
    """
    last = list(dict.fromkeys(reversed(list(values))))
    return sorted(last[:most])


def matched(rows: Sequence[Row], marks: Sequence[Row], least: Sequence[str]) -> list[bool]:
    """Whether each row is also among the marks, by comparing all columns that both have.

    Parameters
    ----------
    rows, marks : sequence of dict
        Rows of two relations.
    least : sequence of str
        Columns that both must have; else no row matches.
    """
    if not rows or not marks:
        return [False] * len(rows)
    # Not by rowtime: each relation has its own.
    shared = [(c, other) for c in rows[-1] if c != "rowtime" and (other := same_name(marks[-1], c))]
    if not set(least) <= {c for c, _ in shared}:
        return [False] * len(rows)
    known = {tuple(str(mark.get(other)) for _, other in shared) for mark in marks}
    return [tuple(str(row.get(c)) for c, _ in shared) in known for row in rows]
