"""The short form of `make torture`: one lab, a killed worker; every score must be right.

Of rescalings, `tests/jobs/test_rescaling.py` is the short form.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.catalog import find
from pipeline.requirements import requirements
from pipeline.settings import settings
from tests.torture.chaos import run
from tests.torture.labs import BY_SYMBOL

pytestmark = [pytest.mark.flink, pytest.mark.aws]


def test_forests_survive_a_killed_worker(tmp_path: Path) -> None:
    def kinds(rng: random.Random) -> Iterator[str]:
        yield "python worker"

    # One TaskManager, as none is killed.
    account = run(BY_SYMBOL, tmp_path, seed=1, kinds=kinds, workers=1)
    assert account.exact(), "\n".join(account.lines())
    # Least privilege: the deployed job's role allows the Kinesis actions that were called here, and no others.
    lab = find("trades")
    statements = requirements(lab, settings(lab, {"tap": {"stream": "taps"}})).statements
    allowed = {action for s in statements for action in s["Action"] if action.startswith("kinesis:")}
    assert account.calls == allowed
    assert account.rows > 100
    assert account.errors_expected > 5
