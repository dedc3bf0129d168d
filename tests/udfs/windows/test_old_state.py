"""An open window out of a savepoint from before `udfs/windows.py` and `udfs/aggregates.py` were a folder."""

import base64
import os
import subprocess
import sys
from pathlib import Path

from infra.paths import ROOT
from udfs.windows.aggregates import FUNCTIONS, Aggregate
from udfs.windows.closing import Windows

#: A window of every aggregate but LAG, with the rows 4.0 and 1.5 at 1 s and 20 s, as PyFlink wrote it.
SAVED = base64.b64decode((Path(__file__).parent / "open_window.b64").read_text())


def test_it_goes_on() -> None:
    aggregates = [
        Aggregate(f, "DOUBLE", "v", half_life=60.0 if f == "exp_avg" else 0.0)
        for f in FUNCTIONS
        if f != "lag"
    ]
    expected = Windows("first_row", 60_000, aggregates)
    for time, value in ((1_000, 4.0), (20_000, 1.5), (30_000, 9.0)):
        expected.push(time, [value] * len(aggregates), ("a",))
    # In a process that has imported no more than what Flink's worker does.
    code = (
        "import pickle, sys, udfs.windows.closing_function\n"
        "windows = pickle.loads(sys.stdin.buffer.read())\n"
        f"windows.push(30_000, [9.0] * {len(aggregates)}, ('a',))\n"
        "print(windows.close(61_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=SAVED, cwd=ROOT, capture_output=True, env=os.environ
    )
    assert done.stdout.decode().strip() == str(expected.close(61_000)), done.stderr.decode()
