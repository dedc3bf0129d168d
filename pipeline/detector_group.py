"""The property group of an anomaly detector."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.groups import Group, Names, Seconds
from udfs.key_groups import FEW, MOST, USUAL

if TYPE_CHECKING:
    from udfs.detector.function import DetectorOptions


def _values(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int | float) else value


#: One number for all columns, or one per column, comma separated.
Numbers = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_values)]
Sides = Annotated[tuple[Literal["both", "above", "below"], ...], BeforeValidator(_values)]


class Detector(Group):
    """An anomaly detector's parameters; a list has one value for all columns, or one for each."""

    columns: Names = Field(description="numeric columns to watch, comma separated, 1-30")
    partition_by: str | None = Field(
        None, description="column: a detector for each of its values; none: one detector"
    )
    buckets: int = Field(
        USUAL,
        ge=FEW,
        le=MOST,
        description="with partition_by: parts of the state, and most subtasks; fewer cost less on few subtasks; can't"
        " change later; for state saved with another default: 128, or 16 before that",
    )
    side: Sides = Field(("both",), description="alerts for values above or below the expected one, or both")
    ignore_within: Numbers = Field((0.0,), description="no alert within this much of the expected value")
    ignore_within_percent: Numbers = Field((0.0,), description="nor within this percentage of it")
    threshold: float = Field(
        1.5,
        ge=1,
        description="smoothed score above which a row is anomalous; lower alerts more often",
    )
    again: float = Field(
        1.5,
        ge=1,
        description="within an event, alert again when the smoothed score is this many times its recent value",
    )
    quiet_rows: int = Field(0, ge=0, description="rows after an alert in which there is no other")
    quiet_time: Seconds = Field(
        timedelta(0), ge=timedelta(0), description="seconds after an alert in which there is no other"
    )
    missing: Literal["skip", "previous", "expected"] = Field(
        "skip",
        description="a row with a missing value: leave it out, or take the previous or the expected one",
    )
    interval: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds between rows: missing rows are filled in, unless missing is skip; 0: never",
    )
    tell_from: AwareDatetime | None = Field(
        None,
        description="a time like 2026-03-02T10:00:00Z: rows before it are learned without alerts",
    )
    number_of_trees: int = Field(50, ge=1, le=1000, description="trees in the detector's forest")
    sub_sample_size: int = Field(256, ge=10, le=1000, description="rows each tree holds")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="the same seed gives the same alerts")
    idle_expiry: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds of rowtime without rows after which a detector is removed; 0: never",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not 1 <= len(self.columns) <= 30 or len(set(self.columns)) < len(self.columns):
            raise PydanticCustomError(
                "at", "columns must be 1 to 30 different columns, got {got}", {"got": ", ".join(self.columns)}
            )
        for name in ("side", "ignore_within", "ignore_within_percent"):
            if (count := len(getattr(self, name))) not in (1, len(self.columns)):
                raise PydanticCustomError(
                    "at",
                    "{name} must be one value, or one for each of {columns} columns, got {count}",
                    {"name": name, "columns": len(self.columns), "count": count},
                )
        return self

    @property
    def options(self) -> DetectorOptions:
        """The options of the detector's operator."""
        from udfs.detector.function import DetectorOptions
        from udfs.detector.rules import Rule

        lists = (self.side, self.ignore_within, self.ignore_within_percent)
        each = zip(*(values * (len(self.columns) // len(values)) for values in lists), strict=True)
        chosen = self.model_dump(exclude={"side", "ignore_within", "ignore_within_percent"})
        chosen["tell_from"] = self.tell_from.timestamp() if self.tell_from else 0.0
        return DetectorOptions(**chosen, rules=tuple(Rule(*rule) for rule in each))
