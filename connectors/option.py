"""The options of a connector as a table: names, types, ranges and help, from the fields of its dataclass.

The connector checks its values by this table, and property groups are made from it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_type_hints

from base.errors import InvalidValue

_KEY = "option"
#: The formats of KDA's outputs.
FORMATS = ("json", "csv")


@dataclass(frozen=True)
class Option:
    """One option.

    Parameters
    ----------
    name : str
        Name of the field and of the property.
    type : type
        ``str``, ``int``, ``float``, or a union of one of them and None.
    default
        ``dataclasses.MISSING`` if there is none.
    help : str
        What it does, in one line.
    minimum, maximum : float or None
        The range, ends included.
    choices : tuple of str
        The allowed values; empty: any.
    """

    name: str
    type: Any
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


def option(
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Metadata that makes a dataclass's field an option."""
    return {_KEY: {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}}


def options_of(connector: Any) -> tuple[Option, ...]:
    """The options of a connector, given as class or instance, in the order of its fields."""
    types = get_type_hints(connector if isinstance(connector, type) else type(connector))
    return tuple(
        Option(field.name, types[field.name], field.default, **field.metadata[_KEY])
        for field in dataclasses.fields(connector)
        if _KEY in field.metadata
    )


def check_options(connector: Any, group: str) -> None:
    """Raise ValueError for the first value that is missing or out of range; it names the property."""
    for each in options_of(connector):
        value, where = getattr(connector, each.name), f"{group}.{each.name}"
        if value is None and each.default is None:
            continue
        if value is None or value == "":
            raise InvalidValue(f"{where} must be set, got {value!r}")
        if each.choices and value not in each.choices:
            raise InvalidValue(f"{where} must be {' or '.join(each.choices)}, got {value!r}")
        low, high = each.minimum, each.maximum
        if high is not None and not (low or 0) <= value <= high:
            raise InvalidValue(f"{where} must be between {low or 0:g} and {high}, got {value}")
        if low is not None and not value >= low:
            raise InvalidValue(f"{where} must be {low:g} or more, got {value}")
