"""Run a scenario: make each record when it is due, and send what is due together in one call."""

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

#: The least wait between two calls, so that a fast sender fills its calls; a record is that late at most.
TICK_SECONDS = 0.02
_PARTITION_KEYS = 10**10

EventTime = Literal["simulated", "wall"]


@dataclass
class Counts:
    """What a run has done so far; the runner changes it in place.

    Attributes
    ----------
    sent, failed : int
        Records acknowledged and given up.
    sent_again : int
        Records sent once more after a failure, each time counted.
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
    """The wall clock. Tests give one that passes time by being waited for."""

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
        A template asks for what there isn't; the message names the template.
    """
    made = []
    for sender, source in zip(scenario.senders, sources, strict=True):
        try:
            made.append(Template(template_text(sender.template), source, MODULES))
        except TemplateError as error:
            raise TemplateError(f"template {sender.template}: {error}") from None
    return made


def preview(scenario: Scenario, records: int = 5, seed: int | None = None) -> dict[str, list[str]]:
    """Return some records of each template, and send nothing.

    Parameters
    ----------
    scenario : Scenario
        What would be sent.
    records : int
        How many of each.
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

    A sink slower than the rate holds the run up; records then go out late, none is left out.

    Parameters
    ----------
    scenario : Scenario
        What to send, when.
    sink : Sink
        Where to; it stays open.
    speed : float
        Scenario time runs so many times as fast as the clock: rates times `speed`, durations divided by it.
        Infinity: as fast as possible.
    seed : int, optional
        The same seed gives the same records, apart from the wall clock.
    start : datetime, optional
        Simulated time (``date.simTime``) at the beginning, with a time zone. By default now; where it runs faster than
        the clock and ends, as much earlier as it gains, so that no record is of the future.
    event_time : {"simulated", "wall"}
        What ``date.simTime`` is: the scenario's time, whatever the speed, or the wall clock.
    ledger : Path, optional
        File that gets every record that was sent, one a line, in order.
    on_progress : callable
        Called after each call to the sink, with the counts.
    stop : threading.Event, optional
        Ends the run early once it is set; what is on its way is still counted.
    clock : Clock, optional
        The wall clock by default.

    Returns
    -------
    Counts
        How many records were sent, sent again and given up.

    Raises
    ------
    TemplateError, ScenarioError
        A template is missing or can't make records.
    SinkError
        The sink can take nothing more; `on_progress` has seen the counts before.
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
    """The simulated time to begin at, so that the last record is of the present."""
    length = scenario.length(now, seed) if speed > 1 else None
    return now - timedelta(seconds=(length or 0.0) * (1 - 1 / speed))


def _sources(scenario: Scenario, seed: int | None, clock: Clock, start: datetime | None) -> list[Source]:
    # One source per sender: what one makes doesn't depend on how many others run beside it.
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
