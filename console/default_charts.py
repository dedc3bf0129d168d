"""Default charts, for an application that describes none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.chart_values import is_number
from pipeline.application import Application
from pipeline.parts import Chart
from pipeline.relations import Detector, Forest, View

SCORE = "anomaly_score"
_MOST_CHARTS = 3
#: Most values of a text column that are drawn as lines of one chart.
_MOST_VALUES = 6
_ABOVE = re.compile(rf"\b{SCORE}`?\s*>=?\s*:(\w+\.\w+)", re.IGNORECASE)

Rows = Sequence[Mapping[str, Any]]


def default_charts(
    application: Application, relations: Mapping[str, Rows], parameters: Mapping[str, Any]
) -> list[Chart]:
    """A chart of the score and its threshold for each forest and detector; without any, charts of numeric columns.

    Parameters
    ----------
    application : Application
    relations : mapping
        Rows by relation, which show which columns are numeric.
    parameters : mapping
        Values of the application's properties by ``group.key``.
    """
    scores = [_score(application, forest, parameters) for forest in application.forests]
    if charts := [*scores, *(_smoothed(application, each, parameters) for each in application.detectors)]:
        return charts
    return list(_numbers(application, relations))


def _score(application: Application, forest: Forest, parameters: Mapping[str, Any]) -> Chart:
    above, threshold = _above(application, forest)
    by = parameters.get(f"{application.group_of(forest)}.partition_by", forest.partition_by)
    title = f"Anomaly score of {forest.name}" if len(application.forests) > 1 else "Anomaly score"
    return Chart(title=title, of=forest.name, y=(SCORE,), by=by, marks=above, threshold=threshold)


def _smoothed(application: Application, detector: Detector, parameters: Mapping[str, Any]) -> Chart:
    by = parameters.get(f"{application.group_of(detector)}.partition_by", detector.partition_by)
    title = f"Smoothed score of {detector.name}"
    return Chart(title=title, of=detector.name, y=("smoothed_score",), by=by, threshold="anomaly_threshold")


def _above(application: Application, forest: Forest) -> tuple[str | None, str | None]:
    """The first view after a forest that compares its score with a property, and that property."""
    after = {forest.name}
    for relation in application.relations:
        if after & set(relation.inputs(application.queries)):
            after.add(relation.name)
            query = application.queries.get(relation.name, "") if isinstance(relation, View) else ""
            if match := _ABOVE.search(query):
                return relation.name, match[1]
    return None, None


def _numbers(application: Application, relations: Mapping[str, Rows]) -> Iterator[Chart]:
    ends = dict.fromkeys(d.of for d in application.destinations if d.type != "none")
    made = 0
    for name in (*ends, *reversed(application.shown)):
        rows = relations.get(name, ())
        columns = dict.fromkeys(c for row in rows for c in row)
        numeric = [c for c in columns if _all(rows, c, is_number)]
        for column in numeric[: _MOST_CHARTS - made]:
            yield Chart(title=f"{column} of {name}", of=name, y=(column,), by=_by(rows, columns))
            made += 1
        if made:
            return


def _all(rows: Rows, column: str, holds: Any) -> bool:
    values = [row.get(column) for row in rows if row.get(column) is not None]
    return bool(values) and all(map(holds, values))


def _by(rows: Rows, columns: Mapping[str, None]) -> str | None:
    """The first text column with few values, to draw a line for each value; None: there is none."""
    for column in columns:
        if column != "rowtime" and _all(rows, column, lambda value: isinstance(value, str)):
            values = {row.get(column) for row in rows}
            if len(values) <= _MOST_VALUES and len(values) < len(rows):
                return column
    return None
