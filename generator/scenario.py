"""Scenarios: templates to send, with their rates, start and end.

A scenario is a YAML file: a shipped one has a name, any other a path. Times are seconds of scenario time, which the
runner's `speed` can make faster than the clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches
from heapq import merge
from itertools import islice, repeat, takewhile
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from base.errors import KdaError
from generator.rates import FORMS, Rate

_ROOM = Path(__file__).parent
T = TypeVar("T")


class ScenarioError(KdaError, ValueError):
    """A scenario or template is missing or not well-formed."""


class Sender(BaseModel):
    """One template at one rate.

    Parameters
    ----------
    template : str
        A shipped template's name, or the path of a file (in a scenario file, relative to it).
    rate : float or mapping
        Records a second, or the fields of `Paced` or `Periodic`.
    start, stop : float
        Seconds of scenario time at which it starts (included) and stops (not included); without `stop` it sends to the
        scenario's end. A burst is a sender with both.
    partition_key : str, optional
        Partition key of every record; by default each gets a random one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str
    rate: Rate
    start: float = Field(default=0, ge=0, allow_inf_nan=False)
    stop: float | None = Field(default=None, gt=0)
    partition_key: str | None = Field(default=None, min_length=1, max_length=256)

    @model_validator(mode="after")
    def _stops_after_start(self) -> Self:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop must be after start ({self.start:g} s), got {self.stop:g} s")
        return self

    def times(self, start: datetime, random: Random) -> Iterator[float]:
        """Yield due times in seconds of scenario time; `start` is the simulated time at second 0."""
        began = start + timedelta(seconds=self.start)
        times = (self.start + t for t in self.rate.times(began, random))
        return _until(self.stop, times, key=lambda t: t)


class Scenario(BaseModel):
    """Several senders at once.

    Parameters
    ----------
    senders : list of Sender
    stop : float, optional
        Seconds of scenario time until the end. Without `stop` and `count` it has no end.
    count : int, optional
        Total number of records.
    align : float, optional
        Begin at a multiple of this many seconds (of scenario time) on the wall clock, so that windows of this length
        are filled from edge to edge.
    to : str, optional
        Default target, in the form of `kda generate --to`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    senders: list[Sender] = Field(min_length=1)
    stop: float | None = Field(default=None, gt=0)
    count: int | None = Field(default=None, ge=0)
    align: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    to: str | None = Field(default=None, min_length=1)

    def times(self, start: datetime, seed: int) -> Iterator[tuple[float, int]]:
        """Yield rising due times in seconds of scenario time, each with its sender's index."""
        streams = [
            zip(sender.times(start, Random(f"{seed}/{place}")), repeat(place))  # noqa: S311
            for place, sender in enumerate(self.senders)
        ]
        return islice(_until(self.stop, merge(*streams), key=lambda due: due[0]), self.count)

    def length(self, start: datetime, seed: int) -> float | None:
        """Return the last due time in seconds of scenario time; None if the scenario has no end."""
        if self.stop is None and self.count is None and any(s.stop is None for s in self.senders):
            return None
        return max((deque(self.times(start, seed), maxlen=1) or [(0.0, 0)])[0][0], 0.0)

    def changed(
        self,
        template: str | None = None,
        rate: float | None = None,
        seconds: float | None = None,
        count: int | None = None,
    ) -> Scenario:
        """Return a copy with some values replaced; template and rate only if it has one sender."""
        sender: dict[str, Any] = {
            name: value for name, value in (("template", template), ("rate", rate)) if value is not None
        }
        if sender and len(self.senders) > 1:
            raise ScenarioError(
                f"{' and '.join(sender)} can be replaced only in a scenario with one sender, "
                f"this one has {len(self.senders)}"
            )
        fields = self.model_dump()
        fields["senders"][0].update(sender)
        if seconds is not None:
            fields["stop"] = seconds
        if count is not None:
            fields["count"] = count
        return _validated(fields, "scenario")


def _until(stop: float | None, items: Iterable[T], key: Callable[[T], float]) -> Iterator[T]:
    """Yield items before `stop` seconds; all items if it is None."""
    return iter(items) if stop is None else takewhile(lambda item: key(item) < stop, items)


def names(kind: str) -> list[str]:
    """Return the names of the shipped "templates" or "scenarios"."""
    return sorted(path.stem for path in (_ROOM / kind).iterdir())


def load(name: str) -> Scenario:
    """Return the scenario with a name, or of a file.

    Raises
    ------
    ScenarioError
        There is none, or it isn't valid; the message says where and why.
    """
    path = _path(name, "scenarios", "yaml")
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ScenarioError(f"scenario {name}: not valid YAML: {' '.join(str(error).split())}") from None
    scenario = _validated(fields, f"scenario {name}")
    shipped = names("templates")
    senders = [
        sender
        if sender.template in shipped
        else sender.model_copy(update={"template": str(path.parent / sender.template)})
        for sender in scenario.senders
    ]
    return scenario.model_copy(update={"senders": senders})


def single(template: str, rate: float, seconds: float | None = None, count: int | None = None) -> Scenario:
    """Return the scenario of one template at a constant rate."""
    fields = {"senders": [{"template": template, "rate": rate}], "stop": seconds, "count": count}
    return _validated(fields, "generator")


def template_text(name: str) -> str:
    """Return the text of a template, by name or file."""
    path = _path(name, "templates", "template")
    try:
        # A byte order mark, which some editors write, must not go into each record.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ScenarioError(f"template {name}: not UTF-8 text") from None


def _path(name: str, kind: str, suffix: str) -> Path:
    path = _ROOM / kind / f"{name}.{suffix}" if name in names(kind) else Path(name)
    if not path.is_file():
        raise ScenarioError(f"no {kind[:-1]} {name}: give a file or one of {', '.join(names(kind))}")
    return path


def _validated(fields: Any, where: str) -> Scenario:
    try:
        return Scenario.model_validate(fields)
    except ValidationError as error:
        errors = error.errors()
        # An unknown field explains more than the missing one that it was meant for.
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        # Leave out the name of the rate's form, which is not in the file.
        place = ".".join(str(part) for part in first["loc"] if part not in FORMS)
        message = first["msg"]
        if first["type"] == "extra_forbidden":
            missing = [str(e["loc"][-1]) for e in errors if e["type"] == "missing"]
            known = get_close_matches(str(first["loc"][-1]), missing, n=1)
            message = (
                f"there is no such field, perhaps {known[0]} is meant" if known else "there is no such field"
            )
        raise ScenarioError(f"{where}: {place}: {message}, got {first['input']!r:.80}") from None
