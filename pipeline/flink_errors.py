"""Flink's errors about a query in one line: file, line, column, what is wrong, what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from base.errors import KdaError

_AT = re.compile(
    r"(?:From|at|At) line (\d+), column (\d+)(?: to line \d+, column \d+)?(?:: (.*))?", re.DOTALL
)
_PARSE = re.compile(r"Encountered \"(.*?)\" at line (\d+), column (\d+)", re.DOTALL)
_UPDATES = re.compile(r"doesn't support consuming [a-z ]* changes which is produced by node (\w+)")


class QueryError(KdaError, ValueError):
    """Flink refuses a query. The message says where, and what is wrong."""


def query_error(where: str, error: str, names: Iterable[str] = ()) -> QueryError:
    """Reduce Flink's error to one line.

    Parameters
    ----------
    where : str
        The query's file.
    error : str
        Flink's text, with or without its stack trace.
    names : iterable of str
        Columns and relations that the query can name.

    Examples
    --------
    >>> text = "From line 3, column 8 to line 3, column 12: Column 'prise' not found in any table\\n\\tat org"
    >>> print(query_error("x.sql", text, ["price", "id"]))
    x.sql:3:8: Column 'prise' not found in any table; the nearest is price
    """
    causes = [line for line in error.splitlines() if line.strip() and not line.startswith(("\t", " "))]
    text = error.replace("\r", "")
    if match := _PARSE.search(text):
        return QueryError(f"{where}:{match[2]}:{match[3]}: {match[1]!r} is not expected here")
    for match in reversed(list(_AT.finditer(text))):
        reason = (match[3] or "").split("\n")[0].strip()
        if reason:
            return QueryError(f"{where}:{match[1]}:{match[2]}: {reason}{_nearest(reason, names)}")
    for cause in reversed(causes):
        reason = re.sub(r"^(Caused by: )?([\w$]+\.)+[\w$]+(: |$)", "", cause).strip()
        if reason:
            return QueryError(f"{where}: {reason}{_nearest(reason, names)}")
    return QueryError(f"{where}: {error.splitlines()[0] if error else 'refused without a reason'}")


def updates(error: str) -> str | None:
    """The kind of step whose updates a destination can't take; None for any other error.

    Examples
    --------
    >>> updates("sink x doesn't support consuming update changes which is produced by node GroupAggregate(groupBy")
    'GroupAggregate'
    """
    match = _UPDATES.search(error)
    return match[1] if match else None


def java_message(error: Exception) -> str:
    """The messages of a Java exception and its causes, a line each; the text of any other exception."""
    java = getattr(error, "java_exception", None)
    messages = [] if java is not None else [str(error)]
    while java is not None:
        messages.append(str(java.getMessage()))
        java = java.getCause()
    return "\n".join(messages)


def _nearest(reason: str, names: Iterable[str]) -> str:
    if "did you mean" in reason:
        return ""
    known = {name.lower(): name for name in names}
    for word in re.findall(r"'([^']+)'", reason):
        if word.lower() in known and known[word.lower()] != word:
            return f"; did you mean {known[word.lower()]}? Names are distinguished by case"
        if close := get_close_matches(word.lower(), known, 1, 0.6):
            return f"; the nearest is {known[close[0]]}"
    return ""
