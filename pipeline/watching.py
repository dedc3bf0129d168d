"""``detector: on``: adds a detector and its alerts to each forest of an application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from base.errors import InvalidValue
from pipeline import sql
from pipeline.relations import Detector, Forest, Relation, View

#: Names of the detector's relation and of its alerts. For a second forest they begin with the forest's name.
DETECTIONS, ALERTS = "detections", "alerts"
#: Keys of the forest's description that its detector takes over.
_AS_THE_FOREST = ("columns", "partition_by", "sub_sample_size", "idle_expiry", "buckets")
_QUERY = """\
-- Alerts: one row for each thing that happens, in the row that begins it.
SELECT *
FROM {detections}
WHERE alert
"""


def as_options(value: Any) -> Any:
    """The description's ``detector``: None for ``off``, ``{}`` for ``on``, else its options."""
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
    """The relations with a detector and its alerts after each forest; the alerts' queries are added to ``queries``.

    Raises
    ------
    ValueError
        There is no forest, or an option is unknown.
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
            "detector: on needs a forest, and there is none: add {detector: name, of:, columns:} "
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
    """Names of a forest's detector and alerts: the plain ones, unless one of them is taken."""
    plain = {DETECTIONS, ALERTS}
    names = [f"{forest.name}_{name}" if plain & taken else name for name in (DETECTIONS, ALERTS)]
    taken.update(names)
    return names[0], names[1]
