"""Separated values in a sample: finds the delimiter, the lines that fit, and a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from discovery.types import propose
from udfs.decoding.separated_values import line_reader

#: Delimiters to try. If two fit equally well, the first is taken: the one that is rarer in texts.
DELIMITERS = ("\t", "|", ";", ",")
_DECIMAL_COMMAS = re.compile(r"\d,\d")
_NAME = re.compile(r"[^\W\d][\w .@/-]*")

Row = list[str | None]


@dataclass(frozen=True)
class Separated:
    """The rows of a sample, divided by one delimiter.

    Attributes
    ----------
    delimiter : str
    rows : list of list
        Rows with the usual number of values, without header lines.
    refused : list of (str, bytes)
        Reason and record of each other line.
    header : list of str or None
        The names in the first line, if it is a header.
    """

    delimiter: str
    rows: list[Row]
    refused: list[tuple[str, bytes]]
    header: list[str] | None = None


def separated(records: Sequence[tuple[bytes, str]]) -> Separated | None:
    """The rows of records by the delimiter that fits best; None if no delimiter gives rows of equal length.

    Parameters
    ----------
    records : sequence of (bytes, str)
        Each record and its text.
    """
    tried = [found for delimiter in DELIMITERS if (found := _divided(records, delimiter))]
    # If all commas are between digits, and another delimiter fits, they are decimal commas.
    texts = [text for _, text in records]
    if len(tried) > 1 and all(text.count(",") == len(_DECIMAL_COMMAS.findall(text)) for text in texts):
        tried = [found for found in tried if found.delimiter != ","]
    best = max(tried, key=lambda found: (-len(found.refused), len(found.rows[0])), default=None)
    return best and _without_header(best)


def _divided(records: Sequence[tuple[bytes, str]], delimiter: str) -> Separated | None:
    read = line_reader(delimiter, "\n")
    lines: list[tuple[bytes, Row]] = []
    refused: list[tuple[str, bytes]] = []
    for record, text in records:
        for line in read(text):
            if line.values is None:
                refused.append((f"not separated values: {line.reason}", record))
            else:
                lines.append((record, line.values))
    if not lines:
        return None
    width = Counter(len(row) for _, row in lines).most_common(1)[0][0]
    rows = [row for _, row in lines if len(row) == width]
    refused += [
        (f"{len(row)} values instead of {width}", record) for record, row in lines if len(row) != width
    ]
    fits = width > 1 and len(refused) * 2 <= len(records)
    return Separated(delimiter, rows, refused) if fits else None


def _without_header(found: Separated) -> Separated:
    """Take a first line of names above values of other types as a header, with each line that repeats it."""
    first, others = found.rows[0], [row for row in found.rows if row != found.rows[0]]
    names = [value for value in first if value and _NAME.fullmatch(value)]
    if not others or len(names) < len(first) or len(set(names)) < len(names):
        return found

    def types(rows: Sequence[Row]) -> list[str]:
        return [propose(list(column), all_text=True).type for column in zip(*rows, strict=True)]

    typed = [
        type_ for type_, column in zip(types(others), zip(*others, strict=True), strict=True) if any(column)
    ]
    if all(type_ == "STRING" for type_ in typed) or any(type_ != "STRING" for type_ in types([first])):
        return found
    return Separated(found.delimiter, others, found.refused, names)
