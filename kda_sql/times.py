"""Intervals and steps of time."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.nodes import Difference, Step, Truncated, offset

MILLISECONDS = {
    "MILLISECOND": 1,
    "SECOND": 1000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": 86_400_000,
    "WEEK": 604_800_000,
}


def interval_ms(node: Any) -> int:
    """Milliseconds of an INTERVAL; raises :class:`Located` for any other node, and for months and years."""
    negative = isinstance(node, exp.Neg)
    inner = node.this if negative else node
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if not isinstance(inner, exp.Interval):
        raise Located("required an interval, as in INTERVAL '10' SECOND", offset(node))
    unit_node = inner.args.get("unit")
    text = str(inner.this.this) if inner.this is not None else ""
    if isinstance(unit_node, exp.IntervalSpan):
        unit, to = unit_node.this.name.upper(), unit_node.expression.name.upper()
    else:
        unit = to = unit_node.name.upper() if unit_node is not None else ""
    unit, to = unit.rstrip("S") if unit != "S" else unit, to.rstrip("S")
    if unit not in MILLISECONDS or to not in MILLISECONDS:
        raise Located(f"INTERVAL in {unit or 'no unit'}: required DAY, HOUR, MINUTE or SECOND", offset(node))
    try:
        total = _span(text, unit, to) if unit != to else round(float(text) * MILLISECONDS[unit])
    except ValueError:
        raise Located(f"INTERVAL '{text}' {unit}: required a number", offset(node)) from None
    return -total if negative else total


def _span(text: str, unit: str, to: str) -> int:
    names = list(MILLISECONDS)[::-1]  # coarse to fine
    names = names[names.index(unit) : names.index(to) + 1]
    parts = re.split(r"[ :]", text.strip())
    if len(parts) != len(names):
        raise ValueError(text)
    return sum(round(float(p) * MILLISECONDS[n]) for p, n in zip(parts, names, strict=True))


def interval_sql(milliseconds: int) -> str:
    """An interval in a form that Flink takes in windows, joins and arithmetic.

    Examples
    --------
    >>> interval_sql(60_000), interval_sql(1500), interval_sql(-1000)
    ("INTERVAL '1' MINUTE", "INTERVAL '0 00:00:01.500' DAY TO SECOND(3)", "INTERVAL -'1' SECOND")
    """
    sign = "-" if milliseconds < 0 else ""
    size = abs(milliseconds)
    for unit in ("DAY", "HOUR", "MINUTE", "SECOND"):
        count, rest = divmod(size, MILLISECONDS[unit])
        if count and not rest and count < 100:
            return f"INTERVAL {sign}'{count}' {unit}"
    days, rest = divmod(size, MILLISECONDS["DAY"])
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    precision = f"({len(str(days))})" if days > 99 else ""
    clock = f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
    return f"INTERVAL {sign}'{days} {clock}' DAY{precision} TO SECOND(3)"


def idiom(node: Any) -> tuple[Any, int] | None:
    """FLOOR((t - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND): t, and 10,000 ms; None for anything else."""
    if not (
        isinstance(node, Truncated) and node.args["kind"] == "FLOOR" and node.args.get("unit") is not None
    ):
        return None
    inner, count = node.this, 1.0
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Div):
        if not isinstance(inner.expression, exp.Literal):
            return None
        count, inner = float(inner.expression.this), inner.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if not isinstance(inner, Difference) or not isinstance(inner.this, exp.Sub):
        return None
    unit = node.args["unit"].name
    if unit not in MILLISECONDS:
        return None
    # FLOOR rounds to the unit after TO, and the division by n makes its step n units long.
    return inner.this.this, round(MILLISECONDS[unit] * count)


def stepped(node: Any) -> tuple[Any, int] | None:
    """The time inside a STEP, FLOOR or CEIL, and the step in milliseconds; None for any other node."""
    found = idiom(node)
    if found is not None:
        return found
    if isinstance(node, Step) and isinstance(node.args["by"], exp.Interval):
        return node.this, interval_ms(node.args["by"])
    if isinstance(node, Truncated) and node.args.get("unit") is not None:
        unit = node.args["unit"].name
        if unit in MILLISECONDS:
            return node.this, MILLISECONDS[unit]
    return None
