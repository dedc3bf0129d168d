"""The properties of an application, with their defaults and permitted values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.application import Application
from pipeline.groups import Group
from pipeline.settings import settings_model


@dataclass(frozen=True)
class Property:
    """One property.

    Attributes
    ----------
    group, key : str
    default : str
        Empty if there is none.
    notes : str
        Meaning and permitted values.
    kind : str
        ``text``, ``number``, ``integer`` or ``boolean``.
    choices : tuple of str
        The permitted values; empty for any.
    minimum, maximum : float or None
        Bounds of a number; of a duration in seconds.
    """

    group: str
    key: str
    default: str
    notes: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def properties_of(chosen: Application) -> Iterator[Property]:
    """The properties of an application, in the order of its models; raises ``SettingsError`` for a wrong default."""
    yield Property("job", "name", chosen.name, "which application the package runs")
    for group, outer in settings_model(chosen).model_fields.items():
        model = outer.annotation
        assert isinstance(model, type)
        assert issubclass(model, Group)
        for key, field in model.model_fields.items():
            default = "" if field.is_required() else _text(field.default)
            bounds = {type(m): m for m in field.metadata}
            yield Property(
                group,
                key,
                default,
                _notes(model, key),
                _kind(field.annotation),
                tuple(_choices(field.annotation)),
                _bound(bounds, Ge, Gt),
                _bound(bounds, Le, Lt),
            )


def _text(value: Any) -> str:
    """A value as the text of a property."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.12g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value is None or repr(value) == "PydanticUndefined":
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _notes(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    # A field that an application only narrows keeps the description of the engine's group.
    bases = [base for base in model.__mro__ if issubclass(base, BaseModel) and key in base.model_fields]
    said = next((d for base in bases if (d := base.model_fields[key].description)), "")
    choices = _choices(field.annotation)
    one = f"one of {', '.join(choices)}" if len(choices) > 1 else ""
    if get_origin(field.annotation) is Literal and len(choices) == 1:
        one = f"always {choices[0]}"
    # Don't repeat a range that the description has.
    bounds = "" if re.search(r"\d-\d", said) else _range(field)
    return "; ".join(note for note in (said, one if one not in said else "", bounds) if note)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice).lower() for choice in get_args(annotation)]
    if get_origin(annotation) is tuple:
        return []
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def _range(field: FieldInfo) -> str:
    bounds = {type(m): m for m in field.metadata}
    low, high = bounds.get(Ge), bounds.get(Le)
    if Gt in bounds:
        return f"more than {_text(bounds[Gt].gt)}" + (f", at most {_text(high.le)}" if high else "")
    if low and high and high.le != 2**63 - 1:
        return f"{_text(low.ge)} to {_text(high.le)}"
    return f"{_text(low.ge)} or more" if low and _text(low.ge) != "0" else ""


def _kind(annotation: Any) -> str:
    """The kind of an annotation's values: of the first type in it that is not text."""
    kinds = {bool: "boolean", int: "integer", float: "number", timedelta: "number"}
    if annotation in kinds:
        return kinds[annotation]
    if get_origin(annotation) in (tuple, Literal):
        return "text"
    found = [_kind(inner) for inner in get_args(annotation) if isinstance(inner, type) or get_args(inner)]
    return next((kind for kind in found if kind != "text"), "text")


def _bound(bounds: dict[type, Any], inclusive: Any, exclusive: Any) -> float | None:
    names = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}
    for kind in (inclusive, exclusive):
        if kind in bounds:
            return float(_text(getattr(bounds[kind], names[kind])))
    return None
