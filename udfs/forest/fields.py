"""A row's numbers and its key, for the functions of forests and detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any


def taking(indices: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """A function that takes these fields of a row."""
    # For one field a slice: itemgetter of one index would return the value, not a sequence.
    first = indices[0]
    return itemgetter(*indices) if len(indices) > 1 else itemgetter(slice(first, first + 1))


def keys_of(rows: Sequence[Sequence[Any]], field: int) -> list[Any]:
    """The key of each row, by which its forest is found: text or an integer as it is, other values as text."""
    keys = [row[field] for row in rows]
    return [key if type(key) in (str, int) or key is None else str(key) for key in keys]
