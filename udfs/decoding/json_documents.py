"""Split a text into JSON documents, with numbers as they are written, and go on after invalid ones.

Numbers stay text (:class:`Number`): a binary double would lose a decimal's digits, and ``1.50`` is not ``1.5`` to a
column of text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


class Document(NamedTuple):
    """A part of a text: a JSON value, or the reason why it can't be read."""

    start: int
    stop: int
    value: Any = None
    reason: str | None = None


def documents(text: str) -> Iterator[Document]:
    """Yield the documents of a text, in order.

    After a document that can't be read, reading goes on where the next one must begin: at an opening bracket right
    after a closing one, which never occurs inside a document; or at an opening bracket at the start of a line, unless
    the line before ends in a comma, a colon or an opening bracket.

    Examples
    --------
    >>> [(d.value, text[d.start : d.stop]) for text in ['{"v": 1}{"v": oops}{"v": 3}'] for d in documents(text)]
    [({'v': '1'}, '{"v": 1}'), (None, '{"v": oops}'), ({'v': '3'}, '{"v": 3}')]
    """
    at, cut = _past_blanks(text, 0), 0
    while at < len(text):
        try:
            value, stop = _scan(text, at)
            yield Document(cut + at, cut + stop, value)
        except (ValueError, RecursionError) as e:
            reason = "nested too deeply" if isinstance(e, RecursionError) else _reason(e, at)
            stop = _next_start(text, at)
            yield Document(cut + at, cut + stop, None, reason)
            if stop > _FAR:
                text, cut, stop = text[stop:], cut + stop, 0
        at = _past_blanks(text, stop)


def source_text(text: str, at: int, path: Sequence[str | int]) -> str:
    """The source text of the value at a path in a document. The value must exist.

    Parameters
    ----------
    text : str
        Holds the document.
    at : int
        Where the document begins.
    path : sequence of str or int
        Names of members and indexes of elements, outermost first. If a name is repeated, the last member counts.

    Examples
    --------
    >>> source_text('{"a": [7, {"b": 1.50 }]}', 0, ["a", 1])
    '{"b": 1.50 }'
    """
    for step in path:
        *_, at = (start for name, start in _inside(text, at) if name == step)
    return text[at : _scan(text, at)[1]]


def _reason(error: Exception, at: int) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos - at}"
    return str(error)


def _inside(text: str, at: int) -> Iterator[tuple[str | int, int]]:
    """The names or indexes in the object or array at a position, each with where its value begins."""
    named = text[at] == "{"
    at, place = _past_blanks(text, at + 1), 0
    while text[at] not in "}]":
        name: str | int = place
        if named:
            name, at = _scan(text, at)
            at = _past_blanks(text, _past_blanks(text, at) + 1)  # the colon
        yield name, at
        at = _past_blanks(text, _scan(text, at)[1])
        if text[at] == ",":
            at = _past_blanks(text, at + 1)
        place += 1


def _refuse_constant(name: str) -> None:
    # Python's parser accepts NaN and Infinity, which are not JSON.
    raise ValueError(f"{name} is not a JSON number")


_scan = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=Number, parse_int=Number).raw_decode
#: For each error Python counts lines from the start of the text. After this many characters the text is cut off.
_FAR = 32_768
_BLANKS = re.compile(r"[\s\ufeff]*")
_START = re.compile(r"[}\]]\s*(?=[{\[])|(?<=[^\s,:\[{])\s*\n(?=[{\[])")


def _past_blanks(text: str, start: int) -> int:
    return _BLANKS.match(text, start).end()  # type: ignore[union-attr]


def _next_start(text: str, at: int) -> int:
    """Where the next document may begin after one that can't be read; the end of the text if nowhere."""
    if text[at] not in "{[":
        starts = [start for start in (text.find("{", at), text.find("[", at)) if start >= 0]
        return min(starts, default=len(text))
    found = _START.search(text, at + 1)
    return found.end() if found else len(text)
