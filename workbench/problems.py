"""Problems of a file with their position, as an editor marks them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from base.errors import KdaError

_PLACED = re.compile(
    r"(?P<file>[\w./-]+\.(?:sql|yaml|json)):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)? (?P<rest>.*)", re.DOTALL
)
_WORD = re.compile(r'"(?:[^"\n]|"")*"|`[^`\n]*`|\'(?:[^\'\n]|\'\')*\'|\w+|\S')


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes
    ----------
    file : str
    line, column : int
        Position of its first character, from 1.
    message : str
        What is wrong, and what to write instead.
    severity : {"error", "note"}
        A note does not keep the application from running.
    end_line, end_column : int or None
        Position after its last character.
    """

    file: str
    line: int
    column: int
    message: str
    severity: Literal["error", "note"] = "error"
    end_line: int | None = None
    end_column: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class Refused(KdaError, ValueError):
    """The files are not an application; `problems` says why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.file}:{p.line}:{p.column}: {p.message}" for p in self.problems))


def at(
    files: Mapping[str, str],
    file: str,
    line: int,
    column: int,
    message: str,
    severity: Literal["error", "note"] = "error",
) -> Problem:
    """A problem that marks the word at a position.

    Examples
    --------
    >>> at({"a.sql": "SELECT prise"}, "a.sql", 1, 8, "no such column").end_column
    13
    """
    lines = files.get(file, "").split("\n")
    line = min(max(line, 1), max(len(lines), 1))
    text = lines[line - 1] if lines else ""
    match = _WORD.match(text, column - 1)
    end = match.end() + 1 if match else column + 1
    return Problem(file, line, max(column, 1), message, severity, line, end)


def of_lines(files: Mapping[str, str], message: str, file: str) -> list[Problem]:
    """Split an error with one ``file:line:column: message`` per line into problems; line and column may be missing.

    Examples
    --------
    >>> (found,) = of_lines({"a.yaml": "b: 1\\nc: 2"}, "a.yaml:2: c is not a known key", "x")
    >>> found.file, found.line, found.message
    ('a.yaml', 2, 'c is not a known key')
    """
    found = []
    for text in message.splitlines():
        match = _PLACED.match(text)
        if not match or match["file"] not in files:
            rest = match["rest"] if match else text
            found.append(at(files, file, 1, 1, rest))
            continue
        line, column = int(match["line"] or 1), int(match["column"] or 1)
        if match["line"] is None:
            line, column = _named(files[match["file"]], match["rest"])
        found.append(at(files, match["file"], line, column, match["rest"]))
    return found


def _named(text: str, message: str) -> tuple[int, int]:
    """Guess line and column: those of the message's first word that occurs in the text."""
    for word in re.findall(r"\w+", message):
        if len(word) > 2 and (match := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)):
            before = text[: match.start()]
            return before.count("\n") + 1, match.start() - (before.rfind("\n") + 1) + 1
    return 1, 1
