"""`python -m bench.job [PART ...]`: our job against a Java job with AWS's forest; real workers, checkpoints on.

Each round runs all forms of the job, so that a busy machine slows them down alike; compare the ratios to the first.
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.job import forms, function, harness
from bench.job.harness import Form, Measured
from pipeline.catalog import JOBS

#: One form: the relation and Flink's options for it.
Rival = tuple[Form, dict[str, str]]

ROUNDS = 3
#: Seconds that a part's rounds may take, so that all parts take about eight minutes. At least one round is run.
LONGEST = 75
THREAD = {"python__execution_mode": "thread"}
TWO = {"parallelism__default": "2"}
#: For low latency: bundles, buffers and watermarks wait a few milliseconds only.
SWIFT = {
    "python__fn_execution__bundle__time": "10",
    "execution__buffer_timeout__interval": "5 ms",
    "pipeline__auto_watermark_interval": "10 ms",
}
#: Managed Flink does not let an application change bundle time and size.
MANAGED = SWIFT | {"python__fn_execution__bundle__time": "1000", "python__fn_execution__bundle__size": "1000"}


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{median(values):,.2f} ({min(values):,.2f}-{max(values):,.2f})"


def rounds(
    rivals: Mapping[str, Rival], folder: Path, skip: int, count: int = ROUNDS
) -> dict[str, list[Measured]]:
    """Measure all forms in each round; fewer rounds on a busy machine."""
    measured: dict[str, list[Measured]] = {name: [] for name in rivals}
    began = time.monotonic()
    for done in range(count):
        if done and (time.monotonic() - began) * (done + 1) / done > LONGEST:
            break
        for name, (form, options) in rivals.items():
            measured[name].append(harness.measure(form, folder, skip, **options))
    return measured


def compare(console: Console, title: str, measured: Mapping[str, list[Measured]]) -> None:
    """Print rates and CPU time, also as ratios to those of the first form in the same round."""
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


def shipped(console: Console, folder: Path) -> None:
    """One forest with default settings against Java's: records per second, and latency at 200 records per second."""
    rivals: dict[str, Rival] = {
        "Java, AWS's library": (forms.java(partial(forms.price_and_quantity, rows=200_000)), {}),
        # More rows, so that it runs as long as Java's. The JVM compiles during the first 100,000 of either.
        "ours, as shipped": (forms.ours(partial(forms.price_and_quantity, rows=900_000)), {}),
    }
    measured = rounds(rivals, folder, 100_000)
    compare(console, "One forest, as shipped", measured)
    java, ours = measured.values()
    ratios = [its.rate / its_rival.rate for its, its_rival in zip(ours, java, strict=True)]
    # Skip ten seconds: rows sent while workers start wait for them, on a busy machine up to 15 seconds. Measure twenty:
    # in ten, one pause of 0.1 s would be the percentile.
    paced = forms.ours(partial(forms.paced_trades, rows=6_000, rate=200))
    waited = harness.measure(paced, folder, 2_000).latency(0.99)
    console.print(
        f"as shipped: {median(ratios):.2f} x Java ({min(ratios):.2f}-{max(ratios):.2f}), p99 {waited} ms",
        highlight=False,
    )


def throughput(console: Console, folder: Path) -> None:
    """One forest of ours with other settings, parallelism 1; `shipped` compares with Java's."""
    source = partial(forms.price_and_quantity, rows=150_000)
    # More rows, so that these forms run as long.
    more = partial(forms.price_and_quantity, rows=600_000)
    rivals: dict[str, Rival] = {
        "as shipped": (forms.ours(more), {}),
        "bundles as on Managed Flink": (forms.ours(more), MANAGED),
        "thread mode": (forms.ours(source), THREAD),
    }
    compare(console, "One forest (100 trees, 256 samples), ours", rounds(rivals, folder, 50_000, 1))


def tickers(console: Console, folder: Path) -> None:
    """A forest per ticker, parallelism 2."""
    source = partial(forms.price_and_quantity, rows=100_000, keys=100)
    rivals: dict[str, Rival] = {
        "Java, AWS's library": (forms.java(source, keyed=True), TWO),
        "ours": (forms.ours(source, keyed=True), TWO),
    }
    compare(console, "A forest for each of 100 tickers, parallelism 2", rounds(rivals, folder, 50_000, 1))


def many_keys(console: Console, folder: Path) -> None:
    """Small forests: one and ten thousand of either, and a hundred thousand of ours."""
    ours = partial(forms.ours, keyed=True, trees=30, samples=64)
    java = partial(forms.java, keyed=True, trees=30, samples=64)
    rivals: dict[str, Rival] = {}
    # Numbers without a common factor with the source's step between keys, so that all keys occur.
    for keys in (1, 10_007):
        source = partial(forms.price_and_quantity, rows=250_000, keys=keys)
        rivals[f"Java, {keys:,} keys"] = (java(source), {})
        rivals[f"ours, {keys:,} keys"] = (ours(source), {})
    # A hundred thousand of Java's would need 14 GB.
    source = partial(forms.price_and_quantity, rows=400_000, keys=100_003)
    rivals["ours, 100,003 keys, parallelism 2"] = (ours(source), TWO)
    measured = rounds(rivals, folder, 150_000, 1)
    compare(console, "Small forests (30 trees, 64 samples)", measured)
    table = Table("form", "checkpoint, s", "its state, MB", title="Their last checkpoint")
    for name, (run,) in measured.items():
        table.add_row(name, f"{run.checkpoint:.2f}", f"{run.state / 1e6:.1f}")
    console.print(table)
    table = Table(
        "keys", "savepoint, MB", "written in, s", "start to first row out, s", title="Stop and start"
    )
    for keys, rows in ((1, 150_000), (10_007, 300_000)):
        source = partial(forms.price_and_quantity, rows=5_000_000, keys=keys)
        restored = harness.restore(ours(source), folder, rows)
        table.add_row(
            f"{keys:,}", f"{restored.state / 1e6:.1f}", f"{restored.saved:.1f}", f"{restored.back:.1f}"
        )
    console.print(table)


def full_forests(console: Console, folder: Path) -> None:
    """A hundred thousand forests whose samples are full, parallelism 2: ten minutes, most of it to fill them."""
    keys, samples = 100_003, 64
    filled = keys * (samples + 6)
    source = partial(forms.price_and_quantity, rows=filled + 2_000_000, keys=keys)
    run = harness.measure(
        forms.ours(source, keyed=True, trees=30, samples=samples), folder, filled, 1_500, **TWO
    )
    console.print(
        f"{keys:,} full forests (30 trees, {samples} samples), parallelism 2: {run.rate:,.0f} rows/s, "
        f"{run.cpu:.0f} CPU s per million, checkpoint {run.checkpoint:.1f} s, {run.state / 1e6:,.0f} MB",
        highlight=False,
    )


def latency(console: Console, folder: Path) -> None:
    """Time from a record at the source to its scored row at the sink."""
    source = partial(forms.paced_trades, rows=2_000, rate=200)
    rivals: dict[str, Rival] = {
        "Java": (forms.java(source), SWIFT),
        "ours, as shipped": (forms.ours(source), {}),
        "the same with the decoder before it": (forms.ours(forms.as_records(source)), {}),
        "bundles as on Managed Flink": (forms.ours(source), MANAGED),
        "the same in thread mode": (forms.ours(source), MANAGED | THREAD),
    }
    table = Table("form", "p50, ms", "p99, ms", title="Latency at 200 records/s")
    for name, (run,) in rounds(rivals, folder, 800, 1).items():
        table.add_row(name, f"{run.latency(0.5)}", f"{run.latency(0.99)}")
    console.print(table)


def decoding(console: Console, folder: Path) -> None:
    """Cost of our decoder, with its error stream, against Flink's JSON format: alone and in front of the forest."""
    path = folder / "records.json"
    forms.write_records(path, 900_000)
    alone: dict[str, Rival] = {
        "Flink's format = json": (forms.json_format(path), {}),
        "our decoder": (forms.decoded(path), {}),
    }
    compare(console, "Decoding", rounds(alone, folder, 300_000, 1))
    scored: dict[str, Rival] = {
        "format = json, ours": (forms.ours(forms.json_format(path)), {}),
        "our decoder, ours": (forms.ours(forms.decoded(path)), {}),
    }
    compare(console, "Decoding and one forest", rounds(scored, folder, 300_000, 1))


def sink(console: Console, folder: Path) -> None:
    """Cost of the Lambda sink, for rows like lab 2's sessions, to a function that accepts each at once."""
    rows = 300_000
    source = forms.sessions(rows)
    with function.running() as accepting:
        rivals: dict[str, Rival] = {
            "the rows alone": (source, {}),
            "with the Lambda sink": (forms.delivered(source, accepting.endpoint), {}),
            "the same, in order of a key": (forms.delivered(source, accepting.endpoint, "user_id"), {}),
        }
        measured = rounds(rivals, folder, 60_000, 1)
        due = rows * (len(rivals) - 1) * len(measured["the rows alone"])
        if accepting.accepted != due:
            raise RuntimeError(f"the function must get {due:,} rows, got {accepting.accepted:,}")
    compare(console, "The Lambda sink", measured)


def labs(console: Console, folder: Path) -> None:
    """Records per second of each lab as shipped, with its decoder and SQL."""
    table = Table(
        "lab", "records/s", "CPU s per million", "records per CPU s", title="The labs as shipped, from a file"
    )
    lab1, lab2, lab3 = (
        import_module(f"jobs.{path.parent.name}.bench") for path in sorted(JOBS.glob("*/bench.py"))
    )
    actions, clicks, crowd, trades = (folder / name for name in ("actions", "clicks", "crowd", "trades"))
    lab1.write_actions(actions, 1_800_000, per_ms=20)
    users = lab2.write_clicks(clicks, 300_000)
    # A minute of event time: its last 5 s, within the allowed disorder, come out when the file has been read.
    lab2.write_random_clicks(crowd, 1_200_000, 100_000, per_ms=20)
    lab3.write_trades(trades, 1_200_000, per_ms=20)
    # The numbers are records per output row (a window's, or a user's), and output rows to skip: a good part, as Java's
    # compilers work on a job's code for its first seconds.
    for name, form, records, skip in (
        ("1: clicks and impressions, windows of 20,000", lab1.form(actions), 20_000, 30),
        (f"2: {users:,} users, 200 at a time", lab2.form(clicks), lab2.CLICKS_OF_A_USER, 10_000),
        ("2: 100,000 users, all the time", lab2.form(crowd, "session_events"), 1, 300_000),
        ("3: trades, each scored", lab3.form(trades), 1, 700_000),
    ):
        run = harness.measure(form, folder, skip)
        cpu = run.cpu / records
        table.add_row(name, f"{run.rate * records:,.0f}", f"{cpu:.1f}", f"{1e6 / cpu:,.0f}")
    console.print(table)


#: The parts by name; `shipped` is last, as its line is the main result.
PARTS = (throughput, tickers, many_keys, latency, decoding, sink, labs, shipped)
#: Run only if they are named.
LONG = (full_forests,)


def main(names: Sequence[str]) -> None:
    known = {part.__name__: part for part in (*PARTS, *LONG)}
    if unknown := set(names) - set(known):
        sys.exit(f"bench.job: parts are {', '.join(known)}, got {', '.join(sorted(unknown))}")
    failed: list[str] = []
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        harness.prepare(Path(folder))
        for name in names or [part.__name__ for part in PARTS]:
            try:
                known[name](console, Path(folder))
            except Exception:
                # The other parts still run: nobody may be watching.
                traceback.print_exc()
                failed.append(name)
    if failed:
        sys.exit(f"bench.job: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
