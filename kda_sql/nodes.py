"""Nodes of KDA's SQL that sqlglot does not have."""

from __future__ import annotations

from typing import Any

from sqlglot import exp


class Step(exp.Expression):
    """STEP(this BY by): the greatest multiple of ``by`` that is not above ``this``."""

    arg_types = {"this": True, "by": True}  # noqa: RUF012


class Truncated(exp.Expression):
    """FLOOR or CEIL (``kind``) of ``this``; for a time with the ``unit``."""

    arg_types = {"this": True, "kind": True, "unit": False}  # noqa: RUF012


class Difference(exp.Expression):
    """(this) unit: the difference of two times, in a unit."""

    arg_types = {"this": True, "unit": True}  # noqa: RUF012


class Cursor(exp.Expression):
    """CURSOR(query)."""

    arg_types = {"this": True}  # noqa: RUF012


class Stagger(exp.Expression):
    """WINDOWED BY STAGGER (PARTITION BY expressions RANGE INTERVAL range)."""

    arg_types = {"expressions": True, "range": True}  # noqa: RUF012


class PatternSubstring(exp.Expression):
    """SUBSTRING(this FROM start FOR length), as in the SQL standard; the form with commas differs."""

    arg_types = {"this": True, "start": True, "length": False}  # noqa: RUF012


class CreateStream(exp.Expression):
    """CREATE STREAM this (expressions)."""

    arg_types = {"this": True, "expressions": False, "query": False}  # noqa: RUF012


class CreatePump(exp.Expression):
    """CREATE PUMP this AS INSERT INTO into (columns) query."""

    arg_types = {"this": True, "into": True, "columns": False, "query": True, "stopped": False}  # noqa: RUF012


def offset(node: Any, default: int = 0) -> int:
    """Offset of a node's first character in the text."""
    starts = [n.meta["start"] for n in node.walk() if "start" in n.meta] if node is not None else []
    return min(starts, default=default)
