"""Benchmark of lab 1: its records and the relations that are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.job.labs import START, Lab, form_of

if TYPE_CHECKING:
    from bench.job.harness import Form

CHAIN = Lab(
    "1: clicks and impressions",
    "ctr",
    {"window": {"size": "1"}},
    ("click", "impression"),
    shards=20,
    backlog=400_000,
    live=200_000,
    pace=5_000,
    rate=20_000,
    through="SELECT browseraction, site, forest_key, rowtime FROM on_time_actions",
    result="scores",
)


def write_actions(path: Path, records: int, per_ms: int) -> None:
    """Write lab 1's clicks and impressions in turn, ``per_ms`` a millisecond."""
    with path.open("w") as file:
        for n in range(records):
            action = {"browseraction": ("Click", "Impression")[n % 2], "site": "https://www.mysite.com"}
            file.write(f"{START + n // per_ms}\t{json.dumps(action)}\n")


def form(path: Path) -> Form:
    """The form that measures its scores, one per window of a second."""
    return form_of("ctr", path, "scores", {"window": {"size": "1"}})
