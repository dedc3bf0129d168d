"""Runs a scenario: makes each record when it is due, and sends records that are due together in one call."""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Literal

from base.errors import InvalidValue
from generator.modules import MODULES
from generator.scenario import Scenario, template_text
from generator.sinks import MOST_RECORDS, Record, Sink
from generator.source import Source, local_now
from generator.template import Template, TemplateError

#: Shortest wait between two calls, so that calls of a fast sender are full. It delays a record by at most this long.
TICK_SECONDS = 0.02
_PARTITION_KEYS = 10**10

EventTime = Literal["simulated", "wall"]


@dataclass
class Counts:
    """Counts of a run so far; the runner updates them in place.

    Attributes
    ----------
    sent, failed : int
        Records acknowledged and given up.
    sent_again : int
        Number of retries of records.
    reasons : Counter
        Number of given-up records by error.
    scenario_seconds : float
        Scenario time of the newest record.
    """

    sent: int = 0
    failed: int = 0
    sent_again: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    scenario_seconds: float = 0.0


class Clock:
    """The wall clock. Tests use one that advances when it is waited for."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the date and time with a time zone."""
        return local_now()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return after `seconds`, or as soon as `stop` is set."""
        stop.wait(seconds)


def compiled(scenario: Scenario, sources: list[Source]) -> list[Template]:
    """Return the template of each sender.

    Raises
    ------
    TemplateError
        A template has an unknown name or a wrong argument; the message names the template.
    """
    made = []
    for sender, source in zip(scenario.senders, sources, strict=True):
        try:
            made.append(Template(template_text(sender.template), source, MODULES))
        except TemplateError as error:
            raise TemplateError(f"template {sender.template}: {error}") from None
    return made


def preview(scenario: Scenario, records: int = 5, seed: int | None = None) -> dict[str, list[str]]:
    """Return some records of each template without sending them.

    Parameters
    ----------
    scenario : Scenario
    records : int
        Number of records of each template.
    seed : int, optional
        The same seed gives the same records, apart from the time.
    """
    sources = _sources(scenario, seed, Clock(), None)
    templates = compiled(scenario, sources)
    by_name = {sender.template: make for sender, make in zip(scenario.senders, templates, strict=True)}
    return {name: [make() for _ in range(records)] for name, make in by_name.items()}


def run(
    scenario: Scenario,
    sink: Sink,
    *,
    speed: float = 1.0,
    seed: int | None = None,
    start: datetime | None = None,
    event_time: EventTime = "simulated",
    ledger: Path | None = None,
    on_progress: Callable[[Counts], None] = lambda _: None,
    stop: threading.Event | None = None,
    clock: Clock | None = None,
) -> Counts:
    """Send a scenario's records until it ends or is stopped.

    If the sink is slower than the rate, records are sent late; none is left out.

    Parameters
    ----------
    scenario : Scenario
    sink : Sink
        Stays open.
    speed : float
        How many times faster than the clock scenario time runs. Infinity: as fast as possible.
    seed : int, optional
        The same seed gives the same records, apart from the wall clock.
    start : datetime, optional
        Simulated time (``date.simTime``) at the beginning, with a time zone. By default now; for a scenario that has an
        end and runs faster than the clock, earlier, so that the last record is not in the future.
    event_time : {"simulated", "wall"}
        Value of ``date.simTime``: scenario time, or the wall clock.
    ledger : Path, optional
        File to write every record to that was sent, one per line, in order.
    on_progress : callable
        Called after each call to the sink, with the counts.
    stop : threading.Event, optional
        Ends the run early when it is set; records being sent are still counted.
    clock : Clock, optional
        The wall clock by default.

    Returns
    -------
    Counts
        Numbers of records sent, retried and given up.

    Raises
    ------
    TemplateError, ScenarioError
        A template is missing or can't make records.
    SinkError
        The sink can't take any more records; `on_progress` was called with the counts before.
    """
    if not speed > 0:
        raise InvalidValue(f"speed must be above 0, got {speed}")
    clock, stop = clock or Clock(), stop or threading.Event()
    seed = random.SystemRandom().getrandbits(64) if seed is None else seed
    sources = _sources(scenario, seed, clock, start)
    templates = compiled(scenario, sources)
    keys = random.Random(f"{seed}/keys")  # noqa: S311
    counts = Counts()

    with ExitStack() as stack:
        book = stack.enter_context(ledger.open("w", encoding="utf-8", errors="replace")) if ledger else None
        if scenario.align and math.isfinite(speed):
            clock.wait(-clock.now().timestamp() % (scenario.align / speed), stop)
        begin, began = clock.monotonic(), start or _present(scenario, clock.now(), seed, speed)
        for source in sources:
            source.start = began
        due_together: list[Record] = []
        for seconds, place in scenario.times(began, seed):
            ahead = begin + seconds / speed - clock.monotonic()
            if ahead > 0:
                _send(due_together, sink, book, counts, on_progress)
                clock.wait(max(ahead, TICK_SECONDS), stop)
            elif len(due_together) == MOST_RECORDS:
                _send(due_together, sink, book, counts, on_progress)
            if stop.is_set():
                break
            sources[place].elapsed_seconds = seconds if event_time == "simulated" else None
            key = scenario.senders[place].partition_key or str(keys.randrange(_PARTITION_KEYS))
            due_together.append(Record(templates[place](), key))
            counts.scenario_seconds = seconds
        _send(due_together, sink, book, counts, on_progress)
    return counts


def _present(scenario: Scenario, now: datetime, seed: int, speed: float) -> datetime:
    """The simulated time to begin at, so that the last record has the present time."""
    length = scenario.length(now, seed) if speed > 1 else None
    return now - timedelta(seconds=(length or 0.0) * (1 - 1 / speed))


def _sources(scenario: Scenario, seed: int | None, clock: Clock, start: datetime | None) -> list[Source]:
    # One source per sender, so that its records don't depend on the other senders.
    return [
        Source(None if seed is None else f"{seed}/{place}", clock.now, start)
        for place, _ in enumerate(scenario.senders)
    ]


def _send(
    records: list[Record],
    sink: Sink,
    book: IO[str] | None,
    counts: Counts,
    on_progress: Callable[[Counts], None],
) -> None:
    if not records:
        return
    delivery = sink.send(records)
    records.clear()
    if book:
        book.write("".join([f"{record.text}\n" for record in delivery.sent]))
        book.flush()
    counts.sent += len(delivery.sent)
    counts.failed += len(delivery.failed)
    counts.sent_again += delivery.sent_again
    counts.reasons += delivery.reasons
    on_progress(counts)
    if delivery.fatal:
        raise delivery.fatal
