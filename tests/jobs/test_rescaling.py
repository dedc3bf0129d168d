"""A job with a forest for each key goes on with more and with fewer subtasks: its scores are those of one run."""

import collections
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.conftest import Flink
from tests.jobs.replay import REPLAYS, Services, running

pytestmark = [pytest.mark.flink, pytest.mark.kinesis]

TRADES = next(r for r in REPLAYS if r.name == "trades")
SYMBOLS = ("AMZN", "MSFT", "NFLX", "TSLA", "INTC", "ORCL", "SAP", "IBM")
#: Records that the job can read before each stop, with the subtasks that it has then.
COURSE = ((400, 1), (700, 2), (1000, 1))


def trade(rng: random.Random, number: int, arrival: int) -> dict[str, Any]:
    symbol = rng.choice(SYMBOLS)
    return TRADES.record(rng, number, arrival) | {"tickerSymbol": symbol}


def scored(trades: list[dict[str, Any]]) -> set[Any]:
    by_symbol = collections.defaultdict(list)
    for each in trades:
        by_symbol[each["tickerSymbol"]].append(each)
    return set().union(*(TRADES.expected(of_symbol) for of_symbol in by_symbol.values()))


def test_each_forest_goes_on_in_another_subtask(mini_flink: Flink, tmp_path: Path) -> None:
    replay = replace(
        TRADES,
        properties=(*TRADES.properties, "random_cut_forest.partition_by=ticker_symbol"),
        record=trade,
        expected=scored,
    )
    records = replay.records(COURSE[-1][0])
    services, state = Services(records, visible=0), None
    for visible, subtasks in COURSE:
        services.visible = visible
        with running(mini_flink, replay, services, state, parallelism=subtasks) as run:
            run.wait(rows=0)
            state = run.stop(tmp_path, drain=visible == len(records))
    delivered = [replay.key(row) for row in services.rows]
    assert len(delivered) == len(set(delivered))
    assert set(delivered) == replay.expected(records)
    assert len(delivered) > 500
    assert not services.errors
