"""The JSON documents of a text, with numbers as they are written; past what can't be read, the next ones.

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
    """A part of a text: a JSON value, or the reason why none can be read there."""

    start: int
    stop: int
    value: Any = None
    reason: str | None = None


def documents(text: str) -> Iterator[Document]:
    """Yield what a text holds, from its first character to its last.

    A document can be read only as a whole. After one that can't, reading goes on where another one must begin: at an
    opening bracket right behind a closing one, which no document has inside, or at the start of a line, unless the
    line before it ends in a comma or the like.

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
    """What is written in a document at a path of names and places; there must be something.

    Parameters
    ----------
    text : str
        Holds the document.
    at : int
        Where it begins.
    path : sequence of str or int
        Names of members and places of elements, outermost first. Of members with one name the last counts.

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
    """The names or places in the object or array at a position, each with where its value begins."""
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
    # Python's parser takes NaN and Infinity, JSON has neither.
    raise ValueError(f"{name} is no JSON number")


_scan = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=Number, parse_int=Number).raw_decode
#: For each error Python counts the lines from the text's beginning: so that begins anew, now and then.
_FAR = 32_768
_BLANKS = re.compile(r"[\s\ufeff]*")
_START = re.compile(r"[}\]]\s*(?=[{\[])|(?<=[^\s,:\[{])\s*\n(?=[{\[])")


def _past_blanks(text: str, start: int) -> int:
    return _BLANKS.match(text, start).end()  # type: ignore[union-attr]


def _next_start(text: str, at: int) -> int:
    """Where, after a document that can't be read, the next one may begin; the text's end if nowhere."""
    if text[at] not in "{[":
        starts = [start for start in (text.find("{", at), text.find("[", at)) if start >= 0]
        return min(starts, default=len(text))
    found = _START.search(text, at + 1)
    return found.end() if found else len(text)
