"""KDA's SQL types and their Flink types."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
APPROXIMATE = ("REAL", "DOUBLE")
NUMERIC = (*INTEGERS, "DECIMAL", *APPROXIMATE)
TEXT = ("VARCHAR", "CHAR")
_SAME = {"INT": "INTEGER", "FLOAT": "DOUBLE", "NUMERIC": "DECIMAL", "DEC": "DECIMAL", "CHARACTER": "CHAR"}
_FLINK = {"REAL": "FLOAT", "INTEGER": "INT", "TIMESTAMP": "TIMESTAMP(3)", "TIME": "TIME(0)"}
KINDS = (*NUMERIC, *TEXT, "BOOLEAN", "TIMESTAMP", "DATE", "TIME")


@dataclass(frozen=True)
class SqlType:
    """A type: its kind, the size of VARCHAR, CHAR and DECIMAL, the fields of a record.

    ``length`` None with VARCHAR means any length.
    """

    kind: str
    length: int | None = None
    scale: int = 0
    fields: tuple[tuple[str, SqlType], ...] = field(default=())

    @property
    def flink(self) -> str:
        """The type in Flink's SQL.

        Examples
        --------
        >>> SqlType("VARCHAR").flink, SqlType("REAL").flink, SqlType("DECIMAL", 5, 2).flink
        ('STRING', 'FLOAT', 'DECIMAL(5, 2)')
        """
        if self.kind == "VARCHAR" and self.length is None:
            return "STRING"
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.length or 18}, {self.scale})"
        if self.kind in TEXT:
            return f"{self.kind}({self.length or 1})"
        return _FLINK.get(self.kind, self.kind)

    @property
    def numeric(self) -> bool:
        return self.kind in NUMERIC

    @property
    def integer(self) -> bool:
        return self.kind in INTEGERS or (self.kind == "DECIMAL" and not self.scale)

    def __str__(self) -> str:
        if self.kind == "DECIMAL":
            return f"DECIMAL({self.length or 18}, {self.scale})"
        return f"{self.kind}({self.length})" if self.length else self.kind


NULL = SqlType("NULL")
TEXT_OF_ANY_LENGTH = SqlType("VARCHAR")
INTEGER = SqlType("INTEGER")
BIGINT = SqlType("BIGINT")
DOUBLE = SqlType("DOUBLE")
BOOLEAN = SqlType("BOOLEAN")
TIMESTAMP = SqlType("TIMESTAMP")


def parse_type(text: str) -> SqlType:
    """Parse the name of a type.

    Raises
    ------
    ValueError
        The type is unknown, or can't be translated.

    Examples
    --------
    >>> parse_type("numeric(5,2)"), parse_type("varchar(4)").length
    (SqlType(kind='DECIMAL', length=5, scale=2, fields=()), 4)
    """
    text = re.sub(r"(?i)^\s*CHAR(ACTER)?\s+VARYING\b", "VARCHAR", text)
    match = re.fullmatch(
        r"\s*(\w+)(?:\s+PRECISION)?\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", text.upper()
    )
    kind = _SAME.get(match.group(1), match.group(1)) if match else ""
    if not match or kind not in KINDS:
        hint = ": no JSON or CSV has such a value; declare VARCHAR" if kind.endswith("BINARY") else ""
        raise ValueError(f"type {text.strip()} must be one of {', '.join(KINDS)}{hint}")
    length = int(match.group(2)) if match.group(2) else None
    if kind == "DECIMAL":
        return SqlType(kind, length, int(match.group(3) or 0))
    return SqlType(kind, (length or 1) if kind == "CHAR" else length if kind == "VARCHAR" else None)


def common(a: SqlType, b: SqlType) -> SqlType | None:
    """The type that holds values of both; None if there is none."""
    if NULL in (a, b):
        return b if a == NULL else a
    if a == b:
        return a
    if a.numeric and b.numeric:
        if a.kind in APPROXIMATE or b.kind in APPROXIMATE:
            return (
                DOUBLE if "DOUBLE" in (a.kind, b.kind) or "DECIMAL" in (a.kind, b.kind) else SqlType("REAL")
            )
        if "DECIMAL" in (a.kind, b.kind):
            (p, s), (q, t) = _digits(a), _digits(b)
            scale = max(s, t)
            return SqlType("DECIMAL", min(38, max(p - s, q - t) + scale), scale)
        return a if INTEGERS.index(a.kind) > INTEGERS.index(b.kind) else b
    if a.kind in TEXT and b.kind in TEXT:
        return SqlType("VARCHAR", max(a.length, b.length) if a.length and b.length else None)
    return None


def _digits(type_: SqlType) -> tuple[int, int]:
    if type_.kind == "DECIMAL":
        return type_.length or 18, type_.scale
    return {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10}.get(type_.kind, 19), 0
