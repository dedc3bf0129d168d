"""Rows of separated values, with delimiters of any length and quotes as in RFC 4180."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """A row of a text: its values, or the reason why it can't be read. An empty value without quotes is None."""

    start: int
    stop: int
    values: list[str | None] | None
    reason: str | None = None


def line_reader(column_delimiter: str, row_delimiter: str) -> Callable[[str], Iterator[Line]]:
    r"""Make a function that yields the rows of a text; empty rows are left out.

    Parameters
    ----------
    column_delimiter, row_delimiter : str
        At least one character each. The row delimiter ``\n`` also matches ``\r\n``.

    Examples
    --------
    >>> read = line_reader("|", "\n")
    >>> [line.values for line in read('a|"b ""|"" c"|\n\n1|2|3')]
    [['a', 'b "|" c', None], ['1', '2', '3']]
    """
    column, row = re.escape(column_delimiter), re.escape(row_delimiter)
    if row_delimiter == "\n":
        row = r"\r?\n"
    # Possessive quantifiers: a quoted value is never backtracked, so hostile text takes no longer than other text.
    value = re.compile(rf'(?:"([^"]*+(?:""[^"]*+)*+)"|(?!")(.*?))(?={column}|{row}|\Z)', re.DOTALL)
    end_of_row = re.compile(row)

    def lines(text: str) -> Iterator[Line]:
        at = 0
        while at < len(text):
            end = end_of_row.search(text, at)
            stop, after = (end.start(), end.end()) if end else (len(text), len(text))
            if '"' in text[at:stop]:
                line = quoted(text, at)
                ended = end_of_row.match(text, line.stop)
                after = ended.end() if ended else len(text)
                yield line
            elif text[at:stop].strip() or column_delimiter in text[at:stop]:
                yield Line(at, stop, [part or None for part in text[at:stop].split(column_delimiter)])
            at = after

    def quoted(text: str, start: int) -> Line:
        values: list[str | None] = []
        at = start
        while True:
            found = value.match(text, at)
            if found is None:  # an unclosed quote, or text after a closing one: only this line is lost
                end = end_of_row.search(text, at)
                stop = end.start() if end else len(text)
                return Line(
                    start,
                    stop,
                    None,
                    f"value {len(values)} has an unclosed quote, or text after its closing quote",
                )
            values.append(found[1].replace('""', '"') if found[1] is not None else found[2] or None)
            at = found.end()
            if at == len(text) or end_of_row.match(text, at):
                return Line(start, at, values)
            at += len(column_delimiter)

    return lines
