"""Random numbers, time and Faker for the records of one sender."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from faker import Factory


def local_now() -> datetime:
    """Return the wall clock with the local time zone."""
    return datetime.now().astimezone()


class Source:
    """Random numbers, clock and Faker of one sender.

    Parameters
    ----------
    seed : int or str, optional
        The same seed gives the same values, apart from the wall clock; None for a new one each time.
    now : callable, optional
        The wall clock; returns a datetime with a time zone.
    start : datetime, optional
        Begin of simulated time; now, by default.

    Attributes
    ----------
    elapsed_seconds : float or None
        Simulated time since `start`; the runner sets it. None: simulated time is the wall clock.
    """

    def __init__(
        self,
        seed: int | str | None = None,
        now: Callable[[], datetime] = local_now,
        start: datetime | None = None,
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.now = now
        self.start = start or now()
        self.elapsed_seconds: float | None = None

    @cached_property
    def faker(self) -> Any:
        """Faker in English; made at first use, as many templates don't need it."""
        # Without weights: weighting names by how common they are takes ten times as long.
        faker = Factory.create("en_US", use_weighting=False)
        faker.seed_instance(self.random.getrandbits(64))
        return faker

    def simulated(self) -> datetime:
        """Return the simulated time."""
        if self.elapsed_seconds is None:
            return self.now()
        return self.start + timedelta(seconds=self.elapsed_seconds)
