"""Benchmark of lab 3: its records and the relation that is counted."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from bench.job.labs import START, form_of

if TYPE_CHECKING:
    from bench.job.harness import Form


def write_trades(path: Path, records: int, per_ms: int) -> None:
    """Write lab 3's trades, ``per_ms`` a millisecond."""
    random = Random(1)
    with path.open("w") as file:
        for n in range(records):
            trade = {
                "tickerSymbol": "AMZN", "tradeType": "BUY", "price": round(random.uniform(90, 110), 2),
                "quantity": random.randint(1, 1000), "id": n,
            }  # fmt: skip
            file.write(f"{START + n // per_ms}\t{json.dumps(trade)}\n")


def form(path: Path) -> Form:
    """The form that measures its scores, one per trade."""
    return form_of("trades", path, "temp_stream", {})
