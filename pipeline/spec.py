"""Names, columns and properties of a description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from base.errors import InvalidValue
from udfs.decoding.columns import Column

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_COLUMN = re.compile(
    r"\s*(?P<type>[A-Za-z_]+\s*(?:\(\s*\d+\s*(?:,\s*\d+\s*)?\))?)"
    r"(?P<required>\s+NOT\s+NULL)?(?:\s+(?P<path>[$@].*?))?\s*",
    re.IGNORECASE,
)


class Spec(BaseModel):
    """A part of the description: unknown keys are errors, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _columns(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return tuple(_column(str(name), text) for name, text in value.items())


def _column(name: str, text: Any) -> Column:
    match = _COLUMN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidValue(f"column {name} must look like VARCHAR(8) NOT NULL $.path, got {str(text)[:80]!r}")
    return Column(name, match["type"].upper(), match["path"] or f"$.{name}", bool(match["required"]))


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


Name = Annotated[str, Field(pattern=f"^{_NAME}$")]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_columns)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Property(Spec):
    """A property that the application defines; views use it as ``:group.key``."""

    help: str
    default: str | bool | int | float | None = None
    type: Literal["text", "number", "integer", "boolean", "seconds", "time_zone"] | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    optional: bool = False

    @property
    def kind(self) -> str:
        """Its type; that of the default if none is given."""
        by_default = {bool: "boolean", int: "integer", float: "number"}
        return self.type or by_default.get(type(self.default), "text")
