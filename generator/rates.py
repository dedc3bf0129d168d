"""Rates: when records are due. Pure arithmetic, without a clock.

Each rate yields rising due times, in seconds of scenario time since the sender began.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import count
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

#: Records a second; the upper bound only guards against typing mistakes.
RecordsPerSecond = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class _Rate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Rate):
    """The same number of records each second, evenly spread.

    A record is due in the middle of its interval. So a window of N intervals has exactly N records, even if the sender
    is not quite on time.

    Examples
    --------
    >>> from itertools import islice
    >>> list(islice(Constant(per_second=2).times(datetime.min, Random()), 3))
    [0.25, 0.75, 1.25]
    """

    per_second: RecordsPerSecond

    def times(self, start: datetime, random: Random) -> Iterator[float]:
        """Yield due times in seconds."""
        return ((n + 0.5) / self.per_second for n in count())


class Paced(_Rate):
    """One record every `every` seconds, with a longer pause after every `after` records.

    Parameters
    ----------
    every, pause : float
        Seconds to the next record: usually, and at a pause.
    after : int
        Number of records between two pauses.
    """

    every: _Seconds
    pause: _Seconds
    after: int = Field(ge=1)

    def times(self, start: datetime, random: Random) -> Iterator[float]:
        """Yield due times in seconds."""
        return (n * self.every + n // self.after * (self.pause - self.every) for n in count())


def _grid(value: Any) -> Any:
    """Expand a single number to all hours of the week."""
    return [[value] * 24] * 7 if isinstance(value, int | float) else value


_Day = Annotated[list[Annotated[float, Field(ge=0, le=1_000_000)]], Field(min_length=24, max_length=24)]
_Week = Annotated[list[_Day], Field(min_length=7, max_length=7), BeforeValidator(_grid)]


class Periodic(_Rate):
    """A number of records drawn each second from a normal distribution, by the hour of the week.

    The hour is that of simulated time. A number below zero counts as zero.

    Parameters
    ----------
    mean, deviation : number or list of 7 lists of 24 numbers
        Records a second: days from Sunday, hours from 0. One number stands for the whole week.
    """

    mean: _Week
    deviation: _Week

    def times(self, start: datetime, random: Random) -> Iterator[float]:
        """Yield due times in seconds; `start` is the simulated time at second 0."""
        for second in count():
            moment = start + timedelta(seconds=second)
            day, hour = moment.isoweekday() % 7, moment.hour
            number = round(random.gauss(self.mean[day][hour], self.deviation[day][hour]))
            for n in range(number):
                yield second + (n + 0.5) / number


#: The forms of a rate, by name.
FORMS: dict[str, type[_Rate]] = {"constant rate": Constant, "paced rate": Paced, "periodic rate": Periodic}


def _number_is_constant(value: Any) -> Any:
    return {"per_second": value} if isinstance(value, int | float | str) else value


def _form(value: Any) -> str | None:
    """The form whose fields are most like a mapping's keys; None if no field is like them."""
    if isinstance(value, _Rate):
        return next(name for name, form in FORMS.items() if isinstance(value, form))
    given = [str(key) for key in value] if isinstance(value, dict) else []
    likeness = {
        name: sum(bool(get_close_matches(key, form.model_fields, n=1)) for key in given)
        for name, form in FORMS.items()
    }
    best = max(likeness, key=lambda name: likeness[name])
    return best if likeness[best] else None


Rate = Annotated[
    Annotated[Constant, Tag("constant rate")]
    | Annotated[Paced, Tag("paced rate")]
    | Annotated[Periodic, Tag("periodic rate")],
    Discriminator(
        _form,
        custom_error_type="rate",
        custom_error_message="required a number of records a second; or every, pause and after; or mean and deviation",
    ),
    BeforeValidator(_number_is_constant),
]
