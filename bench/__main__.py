"""`python -m bench`: runs all benchmarks and writes bench/results.md."""

from __future__ import annotations

import datetime
import os
import platform
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from infra.java import java_home

PARTS = ("bench.forest", "bench.detection", "bench.generator", "bench.job", "bench.job.chain")
RESULTS = Path(__file__).parent / "results.md"


def machine() -> str:
    """The hardware and versions that the benchmarks run on."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((x.partition(":")[2].strip() for x in info.splitlines() if x.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    java = subprocess.run([java_home() / "bin" / "java", "-version"], capture_output=True, text=True)
    packages = ", ".join(f"{p} {version(p)}" for p in ("apache-flink", "numba", "numpy"))
    return (
        f"{os.cpu_count()} × {model}, {memory:.0f} GB; load {os.getloadavg()[0]:.1f} before the first run. "
        f"Python {platform.python_version()}, {java.stderr.splitlines()[0]}, {packages}, "
        "AWS randomcutforest-core 4.2.0."
    )


def run(part: str) -> tuple[str, int]:
    """Run a part; return its output and exit code. If this process is stopped, the part's JVM and workers end too."""
    command = [sys.executable, "-m", part]
    # In a process group of its own, so that all its processes can be ended at once.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    return printed, process.returncode


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()
    text = [f"# Measured\n\n`make bench`, {datetime.date.today():%Y-%m-%d}. {machine()}\n"]
    print(text[0])
    failed = []
    for part in PARTS:
        printed, code = run(part)
        failed += [part] if code else []
        print(printed)
        text.append(f"## {part}\n\n```\n{printed.strip()}\n```\n")
    text.append(f"It took {(time.monotonic() - began) / 60:.0f} minutes.\n")
    RESULTS.write_text("\n".join(text))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
