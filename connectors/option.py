"""What can be set of a connector: a table of names, types, ranges and help, from the fields of its dataclass.

One table serves the connector, which refuses what is out of range, and whoever makes a property group of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_type_hints

from base.errors import InvalidValue

_KEY = "option"
#: How KDA's outputs wrote a row.
FORMATS = ("json", "csv")


@dataclass(frozen=True)
class Option:
    """One thing that can be set.

    Parameters
    ----------
    name : str
        The field's, and the property's.
    type : type
        ``str``, ``int``, ``float``, or one of them or None.
    default
        ``dataclasses.MISSING`` where there is none.
    help : str
        What it does, in a line.
    minimum, maximum : float or None
        The range, ends included.
    choices : tuple of str
        The values it may have; empty: any.
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
    """Metadata of a dataclass's field that can be set."""
    return {_KEY: {"help": help, "minimum": minimum, "maximum": maximum, "choices": choices}}


def options_of(connector: Any) -> tuple[Option, ...]:
    """All that can be set of a connector, a class or an instance, in order."""
    types = get_type_hints(connector if isinstance(connector, type) else type(connector))
    return tuple(
        Option(field.name, types[field.name], field.default, **field.metadata[_KEY])
        for field in dataclasses.fields(connector)
        if _KEY in field.metadata
    )


def check_options(connector: Any, group: str) -> None:
    """Raise ValueError, which names the property, for the first value that is missing or out of range."""
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
