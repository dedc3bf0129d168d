"""The records of an application's senders: from a template, a scenario, or a producer's code."""

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

#: Time between batches of records, so that they are sent evenly.
_BATCH_SECONDS = 0.1
_BATCH_MOST = 500


class SenderError(KdaError, ValueError):
    """A sender can't be started, or does not exist; the message says why."""


class MakeRecords(Protocol):
    """A producer's ``make_records``: records with ids from `first_id` on, each with whether it is anomalous."""

    def __call__(
        self, rng: random.Random, first_id: int, count: int, **options: float
    ) -> list[tuple[dict[str, Any], bool]]: ...


def producer(name: str) -> MakeRecords:
    """Load ``make_records`` of a module in ``lambdas/``.

    Raises
    ------
    SenderError
        The module does not exist, or has no ``make_records``.
    """
    # A description may be untrusted: allow only names of our modules, no paths.
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
        Records per second.
    rng : random.Random
        Random generator; the same state gives the same records.
    first_id : int
        ``id`` of the first record.
    count : int or None
        Number of records; None: no limit.
    stop : threading.Event or None
        Ends it early, after the current batch.
    options
        Further arguments of `make`.

    Yields
    ------
    records, delivery
        Each batch, and the result of sending it.
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
    """The scenario of a sender with a template or scenario, which is a file of the application or of the generator.

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
    raise SenderError(f"sender {sender.label}: required a template or a scenario, got none")


def senders_of(application: Application, found: Resources) -> scenario.Scenario:
    """One scenario of all of an application's senders, to its stream.

    Raises
    ------
    SenderError
        It has no senders with a template or scenario, several scenarios, or senders to several streams.
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
            "choose one with --template or --scenario, and --to"
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
    raise SenderError(f"{name[:80]} is neither a file in {folder} nor one of the generator's")
