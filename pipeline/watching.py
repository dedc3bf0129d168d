"""``detector: on``: alerts beside an application's scores, without a relation more to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from base.errors import InvalidValue
from pipeline import sql
from pipeline.relations import Detector, Forest, Relation, View

#: The detector's rows, and those of them that are alerts. Those of a second forest have its name in front.
DETECTIONS, ALERTS = "detections", "alerts"
#: What a forest's description says of its detector too.
_AS_THE_FOREST = ("columns", "partition_by", "sub_sample_size", "idle_expiry", "buckets")
_QUERY = """\
-- Alerts: one row for each thing that happens, in the row that begins it.
SELECT *
FROM {detections}
WHERE alert
"""


def as_options(value: Any) -> Any:
    """What a description says of its detector: None for ``off``, ``{}`` for ``on``, else the options that differ."""
    if isinstance(value, Mapping):
        return dict(value)
    if value in (True, "on"):
        return {}
    if value in (None, False, "off"):
        return None
    raise InvalidValue("must be on, off, or a detector's options such as {side: above}")


def watched(
    relations: Iterable[Relation], options: Mapping[str, Any] | None, queries: dict[str, str]
) -> tuple[Relation, ...]:
    """Relations with a detector and its alerts behind each forest; the queries of the alerts are added.

    Raises
    ------
    ValueError
        There is no forest, or an option that a detector has not.
    """
    given = tuple(relations)
    if options is None:
        return given
    taken = {relation.name for relation in given} | set(queries)
    found: list[Relation] = []
    for relation in given:
        found.append(relation)
        if isinstance(relation, Forest):
            detections, alerts = _names(relation, taken)
            same = {key: getattr(relation, key) for key in _AS_THE_FOREST}
            about = {"note": "what was expected", "name": detections, "of": relation.name}
            found += [
                _detector({**same, **about, **options}),
                View(name=alerts, note="one for each thing that happens"),
            ]
            queries[alerts] = _QUERY.format(detections=sql.identifier(detections))
    if len(found) == len(given):
        raise InvalidValue(
            "detector: on watches what a forest scores, and there is none: add {detector: name, of:, columns:} "
            "to the relations instead"
        )
    return tuple(found)


def _detector(given: dict[str, Any]) -> Detector:
    try:
        return Detector(**given)
    except ValidationError as e:
        [error, *_] = e.errors()
        raise InvalidValue(f"detector.{error['loc'][0]}: {error['msg']}, got {error['input']!r}") from None


def _names(forest: Forest, taken: set[str]) -> tuple[str, str]:
    """Of a detector and its alerts: the plain ones, unless the application has one of them already."""
    plain = {DETECTIONS, ALERTS}
    names = [f"{forest.name}_{name}" if plain & taken else name for name in (DETECTIONS, ALERTS)]
    taken.update(names)
    return names[0], names[1]
