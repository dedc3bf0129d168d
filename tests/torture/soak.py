"""A lab under steady load for a long time, with sink failures: memory and state must not grow, rows must be exact."""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from infra.java import java_home
from tests.readers import resident
from tests.torture.account import Account
from tests.torture.chaos import ChaosRun, chaos_run
from tests.torture.lab import Lab, changed
from tests.torture.labs import BY_SYMBOL, SESSIONS
from tests.torture.proxy import Call, Fault

#: Seconds between two measurements, and between two failures of the sink.
_LOOK = 10.0
_PAUSE = 60.0
#: Growth that is allowed from the warm-up to the end: a share, or some MB if the level is low.
_SHARE = 0.10
_LITTLE = {"state": 0.5}
_LITTLE_MEMORY = 12.0


@dataclass
class Soak:
    """The result of a soak run.

    Attributes
    ----------
    account : Account
    failures : int
        Failures of the sink, each some seconds long.
    levels : dict
        By name, in MB, a value every ten seconds: ``heap`` of the TaskManagers after a collection, ``manager heap`` of
        the JobManager likewise, ``resident`` of the TaskManagers, ``python`` of all workers, ``state`` of the last
        checkpoint.
    """

    account: Account
    failures: int = 0
    levels: dict[str, list[float]] = field(default_factory=dict)

    def growth(self, name: str) -> float:
        """MB from the mean of the second quarter of the run to that of the last; the first quarter is the warm-up.

        A quarter must be longer than periodic changes: a bucket of forests is rewritten, without its expired forests,
        after 10,000 rows, so all sixteen buckets have been after 160,000 rows.
        """
        values = self.levels[name]
        quarter = len(values) // 4
        return fmean(values[-quarter:]) - fmean(values[quarter : 2 * quarter])

    def flat(self, name: str) -> bool:
        values = self.levels[name]
        allowed = max(_SHARE * median(values[len(values) // 4 :]), _LITTLE.get(name, _LITTLE_MEMORY))
        return self.growth(name) <= allowed

    def good(self) -> bool:
        return self.account.exact() and all(self.flat(name) for name in self.levels)

    def lines(self) -> list[str]:
        lines = [*self.account.lines(), f"  the sink failed {self.failures} times"]
        for name, values in self.levels.items():
            lines.append(
                f"  {name}: {'flat' if self.flat(name) else 'GROWS'}; {median(values[len(values) // 4 :]):.2f} MB "
                f"(at most {max(values):.2f}), in the last quarter {self.growth(name):+.2f} against the second"
            )
        return lines


def soak(lab: Lab, folder: Path, seed: int, minutes: float, rate: float, backend: str) -> Soak:
    """Run a lab's job under steady load, and measure it."""
    begin = time.monotonic()
    with chaos_run(lab, folder, seed, backend) as trial:
        found = Soak(trial.account)
        trial.submit()
        with trial.load(rate):
            end, next_failure = time.monotonic() + 60 * minutes, time.monotonic() + _PAUSE
            while time.monotonic() < end:
                if time.monotonic() > next_failure:
                    trial.proxy.rule = _failing(lab, reset=found.failures % 2 == 0)
                    time.sleep(trial.rng.uniform(2, 6))
                    trial.proxy.rule = lambda call: None
                    found.failures += 1
                    next_failure = time.monotonic() + _PAUSE
                # The proxy's list of calls must not grow the measured memory.
                trial.proxy.calls.clear()
                trial.cluster.wait_until_running(trial.job)
                for name, value in _look(trial):
                    found.levels.setdefault(name, []).append(value)
                time.sleep(_LOOK)
        trial.settle()
    trial.account.seconds = time.monotonic() - begin
    return found


def _failing(lab: Lab, *, reset: bool) -> Any:
    def rule(call: Call) -> Fault | None:
        if call.service.lower() != lab.sink and call.operation != "PutRecords":
            return None
        return Fault(reset=True) if reset else Fault(status=503, error="ServiceUnavailable")

    return rule


def _look(trial: ChaosRun) -> Iterator[tuple[str, float]]:
    cluster = trial.cluster
    workers = list(map(cluster.java, cluster.workers))
    yield "heap", sum(map(_heap, workers))
    yield "manager heap", _heap(cluster.java(cluster.manager))
    yield "resident", sum(map(resident, workers))
    yield "python", sum(map(resident, cluster.python_workers()))
    latest = cluster.get(f"/jobs/{trial.job}/checkpoints")["latest"]["completed"]
    yield "state", latest["state_size"] / 1e6


def _heap(pid: int) -> float:
    """MB of a JVM's heap that are in use after a collection."""
    command = java_home() / "bin" / "jcmd"
    shown = ""
    for request in ("GC.run", "GC.heap_info"):
        shown = subprocess.run(
            [command, str(pid), request], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    # One line for the whole heap, or one for each generation; classes count as resident memory.
    heap = shown.partition("Metaspace")[0]
    return sum(int(kb) for kb in re.findall(r"(?:heap|generation).*?used (\d+)K", heap)) / 1000


def _passing_trade(number: int, rng: random.Random) -> dict[str, Any]:
    trade = BY_SYMBOL.record(number, rng)
    # Each symbol has some 80 trades within seconds and is never seen again.
    return trade | {"tickerSymbol": f"S{number // 80 + rng.randint(0, 4)}"}


def _passing_click(number: int, rng: random.Random) -> dict[str, Any]:
    # Each user has some 5 clicks within seconds and never returns.
    return SESSIONS.record(number, rng) | {"user_id": f"user{number // 5 + rng.randint(0, 9)}"}


#: Labs whose keys come and go; a key's state expires after half a minute without records.
SOAKS = {
    "trades": replace(
        BY_SYMBOL,
        record=_passing_trade,
        properties=changed(BY_SYMBOL.properties, "random_cut_forest", idle_expiry="30"),
        sink="s3",
    ),
    "sessions": replace(
        SESSIONS,
        record=_passing_click,
        properties=changed(SESSIONS.properties, "sessions", look_back="30"),
    ),
}
