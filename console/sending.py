"""What an application's senders send: records of a template, of a scenario, or of a producer's own making."""

from __future__ import annotations

import importlib
import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from base.errors import KdaError
from console.resources import Resources
from generator import scenario
from generator.sinks import Delivery, Record, Sink
from pipeline.application import Application
from pipeline.parts import Sender

#: Records go out in batches of about this much time, so that a rate is met evenly.
_BATCH_SECONDS = 0.1
_BATCH_MOST = 500


class SenderError(KdaError, ValueError):
    """A sender can't do what was asked; the message says why."""


class MakeRecords(Protocol):
    """A producer's ``make_records``: records with ids that count up from `first_id`, and which are anomalous."""

    def __call__(
        self, rng: random.Random, first_id: int, count: int, **options: float
    ) -> list[tuple[dict[str, Any], bool]]: ...


def producer(name: str) -> MakeRecords:
    """The ``make_records`` of the module of that name in ``lambdas/``.

    Raises
    ------
    SenderError
        There is no such module, or it makes no records.
    """
    # A description may come from a stranger: it names a module of ours, never a path.
    if not name.isidentifier():
        raise SenderError(f"producer must be the name of a module in lambdas/, got {name[:40]!r}")
    try:
        module = importlib.import_module(f"lambdas.{name}")
    except ModuleNotFoundError:
        raise SenderError(f"producer {name}: there is no module lambdas/{name}.py") from None
    if not hasattr(module, "make_records"):
        raise SenderError(f"producer {name}: lambdas/{name}.py has no make_records(rng, first_id, count)")
    found: MakeRecords = module.make_records
    return found


def produce(
    make: MakeRecords,
    sink: Sink,
    rate: float,
    *,
    rng: random.Random,
    first_id: int = 1,
    count: int | None = None,
    stop: threading.Event | None = None,
    **options: float,
) -> Iterator[tuple[list[tuple[dict[str, Any], bool]], Delivery]]:
    """Make records at a rate and send them until `count` are made or `stop` is set.

    Parameters
    ----------
    make : callable
        See :func:`producer`.
    sink : Sink
    rate : float
        Records a second.
    rng : random.Random
        Source of chance; the same state gives the same records.
    first_id : int
        ``id`` of the first record.
    count : int or None
        Records in all; None: no end.
    stop : threading.Event or None
        Ends it early; what is on its way is still sent.
    options
        What `make` takes beside the three.

    Yields
    ------
    records, delivery
        Each batch with what became of it.
    """
    stop = stop or threading.Event()
    batch = max(1, min(_BATCH_MOST, round(rate * _BATCH_SECONDS)))
    made, start = 0, time.monotonic()
    while (count is None or made < count) and not stop.wait(max(0.0, start + made / rate - time.monotonic())):
        size = batch if count is None else min(batch, count - made)
        pairs = make(rng, first_id + made, size, **options)
        records = [
            Record(json.dumps(record), str(first_id + made + n)) for n, (record, _) in enumerate(pairs)
        ]
        delivery = sink.send(records)
        made += size
        yield pairs, delivery


def scenario_of(application: Application, sender: Sender, rate: float | None = None) -> scenario.Scenario:
    """The scenario of a sender that has a template or a scenario: its own file's, or the generator's of that name.

    Raises
    ------
    SenderError
        It has neither, or names a file outside the application's folder.
    generator.scenario.ScenarioError
        The file can't be read.
    """
    if sender.template:
        return scenario.single(_file(application, sender.template), rate or sender.rate or 1.0)
    if sender.scenario:
        return scenario.load(_file(application, sender.scenario))
    raise SenderError(f"sender {sender.label}: has no template and no scenario")


def senders_of(application: Application, found: Resources) -> scenario.Scenario:
    """All of an application's templates at once, or its one scenario, on the way to its stream.

    Raises
    ------
    SenderError
        It has no such senders, several scenarios, or senders to several streams.
    generator.scenario.ScenarioError
        A file can't be read.
    """
    senders = [s for s in application.senders if not s.producer]
    if not senders:
        others = f": see `kda produce {application.name}`" if application.senders else ""
        raise SenderError(f"{application.name} has no sender with a template or a scenario{others}")
    streams = {found.stream_of(s.source) for s in senders}
    if len(streams) > 1 or None in streams or (len(senders) > 1 and any(s.scenario for s in senders)):
        raise SenderError(
            f"{application.name}: its senders are several scenarios or go to several streams: "
            "name one by --template or --scenario and --to"
        )
    made = [scenario_of(application, s) for s in senders]
    each = [sender for one in made for sender in one.senders]
    return made[0].model_copy(update={"senders": each, "to": f"stream:{streams.pop()}"})


def _file(application: Application, name: str) -> str:
    folder = application.folder.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise SenderError(f"required a file in the application's folder, got {name[:80]!r}")
    if path.is_file():
        return str(path)
    if name in (*scenario.names("templates"), *scenario.names("scenarios")):
        return name
    raise SenderError(f"no file {name[:80]} in {folder}, and the generator has none of that name")
