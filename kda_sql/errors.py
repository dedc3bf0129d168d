"""Problems of a program, shown with file, line, column, a caret and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from base.errors import KdaError


@dataclass(frozen=True)
class Problem:
    """One problem of a program.

    Parameters
    ----------
    line, column : int
        Position of the first character of the wrong word, from 1.
    message : str
        What is wrong, and what to write instead.
    """

    line: int
    column: int
    message: str


class KdaSqlError(KdaError, ValueError):
    """The program can't be translated; the message shows every problem with its line.

    Parameters
    ----------
    problems : iterable of Problem
        All problems found, at least one.
    text : str
        The program.
    file : str
        The program's file name.
    """

    def __init__(self, problems: Iterable[Problem], text: str, file: str = "program.sql") -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.line, p.column, p.message))
        super().__init__(shown(self.problems, text, file))


class Located(Exception):  # internal: carries a problem up to the statement that contains it
    """A problem at an offset of the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Reported(Exception):
    """Raised after the problem has been reported already."""


def shown(problems: Iterable[Problem], text: str, file: str) -> str:
    """Each problem with its position, its line and a caret."""
    lines = text.split("\n")
    return "\n\n".join(_shown(p, lines, file) for p in problems)


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset in a text.

    Examples
    --------
    >>> place("a\\nbc", 3)
    (2, 2)
    """
    before = text[: max(offset, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to ``name``, ignoring case; None if none is similar.

    Examples
    --------
    >>> nearest("UNIX_TIMESTMP", ["UNIX_TIMESTAMP", "SUBSTRING"])
    'UNIX_TIMESTAMP'
    """
    by_fold = {k.upper(): k for k in known}
    found = difflib.get_close_matches(name.upper(), by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def _shown(problem: Problem, lines: list[str], file: str) -> str:
    # A tab counts as one column, as in the reported position.
    line = lines[problem.line - 1].rstrip("\r").replace("\t", " ") if problem.line <= len(lines) else ""
    caret = " " * (problem.column - 1) + "^"
    return f"{file}:{problem.line}:{problem.column}: {problem.message}\n  {line}\n  {caret}"
