"""The languages as the page's editor offers them: keywords, functions with their arguments, templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from kda_sql.expressions import AGGREGATES
from kda_sql.functions import FUNCTIONS, NOTES

_TEMPLATES = Path(__file__).parent / "templates"
_KDA = """\
ALL AND ANY AS ASC AT BETWEEN BIGINT BOOLEAN BY CASE CAST CEIL CHAR CREATE CROSS CURSOR DATE DAY DECIMAL DESC DISTINCT
DOUBLE ELSE END EXISTS EXTRACT FALSE FIRST FLOAT FLOOR FOLLOWING FOR FROM FULL GROUP HAVING HOUR IGNORE IN INNER INSERT
INTEGER INTERVAL INTO IS JOIN LAST LEFT LIKE MINUTE MONTH NOT NULL NULLS NUMERIC OFFSET ON OR ORDER OUTER OVER PARTITION
PRECEDING PUMP RANGE REAL REPLACE RIGHT ROWS ROWTIME SECOND SELECT SIMILAR SMALLINT STAGGER START STEP STOP STREAM TABLE
THEN TIME TIMESTAMP TINYINT TO TRUE UNBOUNDED UNION UNIQUE VALUES VARBINARY VARCHAR WHEN WHERE WINDOW WINDOWED YEAR"""
_FLINK = """\
ALL AND ANY ARRAY AS ASC BETWEEN BIGINT BOOLEAN BY BYTES CASE CAST CROSS CUMULATE CURRENT DATE DAY DECIMAL DESC
DESCRIPTOR DISTINCT DOUBLE ELSE END EXISTS EXTRACT FALSE FILTER FLOAT FOLLOWING FOR FROM FULL GROUP HAVING HOP HOUR IN
INNER INT INTERSECT INTERVAL IS JOIN LATERAL LEFT LIKE LIMIT MAP MINUTE MONTH NOT NULL ON OR ORDER OUTER OVER PARTITION
PRECEDING RANGE ROW ROWS SECOND SELECT SESSION SIMILAR SMALLINT STRING TABLE THEN TIME TIMESTAMP TIMESTAMP_LTZ TINYINT
TO TRUE TRY_CAST TUMBLE UNBOUNDED UNION UNNEST VALUES VARBINARY VARCHAR WHEN WHERE WINDOW WITH YEAR"""
#: Functions that return rows, and functions with their own syntax.
_OTHERS = {
    "RANDOM_CUT_FOREST": (
        "(CURSOR(…), numberOfTrees, subSampleSize, timeDecay, shingleSize)",
        "adds ANOMALY_SCORE: 0 while it learns, high for anomalies",
    ),
    "RANDOM_CUT_FOREST_WITH_EXPLANATION": (
        "(CURSOR(…), numberOfTrees, subSampleSize, timeDecay, shingleSize, withDirectionality)",
        "adds ANOMALY_SCORE and ANOMALY_EXPLANATION, JSON by column",
    ),
    "HOTSPOTS": (
        "(CURSOR(…), windowSize, scanRadius, minimumNumberOfPointsInAHotspot)",
        "adds HOTSPOTS_RESULT",
    ),
    "TOP_K_ITEMS_TUMBLING": ("(CURSOR(…), 'column', k, seconds)", "the most frequent values of each window"),
    "COUNT_DISTINCT_ITEMS_TUMBLING": (
        "(CURSOR(…), 'column', seconds)",
        "the number of distinct values of each window",
    ),
    "STEP": ("(time BY INTERVAL 'n' unit)", "the start of the time's window"),
    "LAG": ("(value, offset, default) OVER w", "the value from `offset` rows before"),
    "FIRST_VALUE": ("(value) OVER w", "the first value of the window"),
    "LAST_VALUE": ("(value) OVER w", "the last value of the window"),
    "POSITION": ("(part IN text)", "position of a part in a text, from 1; 0: not found"),
    "TRIM": ("(BOTH 'c' FROM text)", "the text without a character at both ends"),
}


@cache
def known() -> dict[str, Any]:
    """Keywords, functions and templates, as plain data."""
    functions = [
        {"name": name, "signature": _signature(least, most), "help": NOTES.get(name, "")}
        for name, (least, most, _) in FUNCTIONS.items()
    ]
    functions += [
        {"name": name, "signature": "(value)", "help": "aggregate"}
        for name in AGGREGATES
        if name not in _OTHERS
    ]
    functions += [{"name": n, "signature": s, "help": h} for n, (s, h) in _OTHERS.items()]
    return {
        "keywords": {"kda": _KDA.split(), "flink": _FLINK.split()},
        "functions": sorted(functions, key=lambda f: f["name"]),
        "templates": [_template(path) for path in sorted(_TEMPLATES.glob("*.sql"))],
    }


def _signature(least: int, most: int) -> str:
    names = [f"argument {n}" for n in range(1, least + 1)]
    optional = "" if most == least else f"{', ' if names else ''}…"
    return f"({', '.join(names)}{optional})"


def _template(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    first, _, sql = text.partition("\n")
    title, _, help_ = first.removeprefix("-- ").partition(": ")
    return {"name": path.stem, "title": title, "help": help_, "sql": sql}
