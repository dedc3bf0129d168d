"""`python -m bench.job`: our job against a Java job with AWS's forest; real worker processes, checkpoints on.

Forms take turns within a round, so that a busy machine slows down all of them; what counts are ratios to the first.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.job import forms, harness
from bench.job.harness import Form, Measured
from infra import flink
from pipeline.catalog import JOBS

#: One form: the relation and Flink's options for it.
Rival = tuple[Form, dict[str, str]]

ROUNDS = 3
#: Seconds that rounds may take; one there always is.
LONGEST = 150
THREAD = {"python__execution_mode": "thread"}
TWO = {"parallelism__default": "2"}
#: For a person who waits for each row: what is gathered anywhere is gathered for a few milliseconds only.
SWIFT = {
    "python__fn_execution__bundle__time": "10",
    "execution__buffer_timeout__interval": "5 ms",
    "pipeline__auto_watermark_interval": "10 ms",
}
#: As `kda run` starts a job with micro-batches of 100 ms.
BATCHES = {
    option.replace(".", "__").replace("-", "_"): value
    for option, value in flink.cluster("bench", micro_batch=timedelta(milliseconds=100)).items()
    if ".bundle." in option
}
#: Managed Flink does not let an application change the bundle's time.
MANAGED = SWIFT | {"python__fn_execution__bundle__time": "1000"}


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{median(values):,.2f} ({min(values):,.2f}-{max(values):,.2f})"


def rounds(
    rivals: Mapping[str, Rival], folder: Path, skip: int, count: int = ROUNDS
) -> dict[str, list[Measured]]:
    """Let the forms take turns; on a busy machine fewer times."""
    measured: dict[str, list[Measured]] = {name: [] for name in rivals}
    began = time.monotonic()
    for done in range(count):
        if done and (time.monotonic() - began) * (done + 1) / done > LONGEST:
            break
        for name, (form, options) in rivals.items():
            measured[name].append(harness.measure(form, folder, skip, **options))
    return measured


def compare(console: Console, title: str, measured: Mapping[str, list[Measured]]) -> None:
    """Print rates and CPU time, each as a ratio to the first form's in the same round too."""
    table = Table("form", "records/s", "× first", "CPU s per million", "first's CPU ÷ its", title=title)
    first = next(iter(measured.values()))
    for name, runs in measured.items():
        table.add_row(
            name,
            f"{median(r.rate for r in runs):,.0f}",
            spread([r.rate / f.rate for r, f in zip(runs, first, strict=True)]),
            f"{median(r.cpu for r in runs):,.1f}",
            spread([f.cpu / r.cpu for r, f in zip(runs, first, strict=True)]),
        )
    console.print(table)


def throughput(console: Console, folder: Path) -> None:
    """One forest, parallelism 1."""
    source = partial(forms.price_and_quantity, rows=150_000)
    rivals: dict[str, Rival] = {
        "Java, AWS's library": (forms.java(source), {}),
        "ours, a record at a time": (forms.ours(source), {}),
        "ours, a record at a time, thread": (forms.ours(source), THREAD),
    }
    # More, for as long a time.
    more = partial(forms.price_and_quantity, rows=400_000)
    rivals["ours, micro-batch 20 ms, bundle 10 ms"] = (forms.ours(more, 20), SWIFT)
    rivals["ours, micro-batch 100 ms"] = (forms.ours(more, 100), BATCHES)
    # What each of two subtasks would do that shared one forest's trees: all rows, half the trees.
    rivals["the same with half the trees"] = (forms.ours(more, 100, trees=50), BATCHES)
    compare(console, "One forest (100 trees, 256 samples)", rounds(rivals, folder, 50_000))


def tickers(console: Console, folder: Path) -> None:
    """A forest per ticker, parallelism 2."""
    source = partial(forms.price_and_quantity, rows=150_000, keys=100)
    rivals: dict[str, Rival] = {
        "Java, AWS's library": (forms.java(source, keyed=True), TWO),
        "ours, micro-batch 100 ms": (forms.ours(source, 100, keyed=True), TWO | BATCHES),
    }
    compare(console, "A forest for each of 100 tickers, parallelism 2", rounds(rivals, folder, 50_000, 2))


def many_keys(console: Console, folder: Path) -> None:
    """Small forests: one, and ten thousand."""
    ours = partial(forms.ours, micro_batch_ms=100, keyed=True, trees=30, samples=64)
    java = partial(forms.java, keyed=True, trees=30, samples=64)
    rivals: dict[str, Rival] = {}
    # A number of keys that has no factor in common with the source's step, so that all of them come.
    for keys in (1, 10_007):
        source = partial(forms.price_and_quantity, rows=300_000, keys=keys)
        rivals[f"Java, {keys:,} keys"] = (java(source), {})
        rivals[f"ours, {keys:,} keys"] = (ours(source), BATCHES)
    measured = rounds(rivals, folder, 150_000, 1)
    compare(console, "Small forests (30 trees, 64 samples), micro-batch 100 ms", measured)
    table = Table("form", "checkpoint, s", "its state, MB", title="Their last checkpoint")
    for name, (run,) in measured.items():
        table.add_row(name, f"{run.checkpoint:.2f}", f"{run.state / 1e6:.1f}")
    console.print(table)
    table = Table(
        "keys", "savepoint, MB", "written in, s", "start to first row out, s", title="Stop and start"
    )
    for keys, rows in ((1, 150_000), (10_007, 300_000)):
        source = partial(forms.price_and_quantity, rows=5_000_000, keys=keys)
        restored = harness.restore(ours(source), folder, rows, **BATCHES)
        table.add_row(
            f"{keys:,}", f"{restored.state / 1e6:.1f}", f"{restored.saved:.1f}", f"{restored.back:.1f}"
        )
    console.print(table)


def latency(console: Console, folder: Path) -> None:
    """From a record leaving the source to its scored row at the sink."""
    source = partial(forms.paced_trades, rows=2_800, rate=200)
    rivals: dict[str, Rival] = {
        "Java": (forms.java(source), SWIFT),
        "a record at a time, as shipped": (forms.ours(source), {}),
        "the same with the decoder before it": (forms.ours(forms.as_records(source)), {}),
        "micro-batch 20 ms, bundle 10 ms": (forms.ours(source, 20), SWIFT),
        "a record at a time, bundle 1000 ms": (forms.ours(source), MANAGED),
        "a record at a time, thread": (forms.ours(source), MANAGED | THREAD),
        "micro-batch 20 ms, thread": (forms.ours(source, 20), MANAGED | THREAD),
    }
    table = Table("form", "p50, ms", "p99, ms", title="Latency at 200 records/s")
    for name, (run,) in rounds(rivals, folder, 1_200, 1).items():
        table.add_row(name, f"{run.latency(0.5)}", f"{run.latency(0.99)}")
    console.print(table)


def decoding(console: Console, folder: Path) -> None:
    """What the error stream costs, alone and in front of the forest."""
    path, few = folder / "records.json", folder / "few.json"
    forms.write_records(path, 900_000)
    forms.write_records(few, 300_000)
    alone: dict[str, Rival] = {
        "Flink's format = json": (forms.json_format(path), {}),
        "our decoder": (forms.decoded(path), {}),
    }
    compare(console, "Decoding", rounds(alone, folder, 300_000, 2))
    scored: dict[str, Rival] = {
        "format = json, ours, micro-batch 100 ms": (forms.ours(forms.json_format(path), 100), BATCHES),
        "our decoder, ours, micro-batch 100 ms": (forms.ours(forms.decoded(path), 100), BATCHES),
    }
    compare(console, "Decoding and one forest", rounds(scored, folder, 300_000, 2))
    shipped: dict[str, Rival] = {
        "format = json, ours, a record at a time": (forms.ours(forms.json_format(few)), {}),
        "our decoder, ours, a record at a time": (forms.ours(forms.decoded(few)), {}),
    }
    compare(console, "The same as shipped", rounds(shipped, folder, 100_000, 1))


def both_labs(console: Console, folder: Path) -> None:
    """Records in a second, labs 1 and 2."""
    table = Table(
        "lab", "records/s", "CPU s per million", "records per CPU s", title="Labs 1 and 2, from a file"
    )
    lab1, lab2 = (import_module(f"jobs.{path.parent.name}.bench") for path in sorted(JOBS.glob("*/bench.py")))
    actions, clicks, crowd = folder / "actions", folder / "clicks", folder / "crowd"
    lab1.write_actions(actions, 600_000, per_ms=20)
    users = lab2.write_clicks(clicks, 300_000)
    # A minute of event time: its last 5 s, which may be out of order, come out when the file has been read.
    lab2.write_random_clicks(crowd, 1_200_000, 100_000, per_ms=20)
    # Records for each row out: a window's, and a user's.
    for name, form, records, skip in (
        ("1: clicks and impressions, windows of 20,000", lab1.form(actions), 20_000, 10),
        (f"2: {users:,} users, 200 at a time", lab2.form(clicks), lab2.CLICKS_OF_A_USER, 10_000),
        ("2: 100,000 users, all the time", lab2.form(crowd, "session_events"), 1, 300_000),
    ):
        run = harness.measure(form, folder, skip)
        cpu = run.cpu / records
        table.add_row(name, f"{run.rate * records:,.0f}", f"{cpu:.1f}", f"{1e6 / cpu:,.0f}")
    console.print(table)


def main() -> None:
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        harness.prepare(Path(folder))
        for part in (throughput, tickers, many_keys, latency, decoding, both_labs):
            part(console, Path(folder))


if __name__ == "__main__":
    main()
