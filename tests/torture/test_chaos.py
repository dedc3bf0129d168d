"""The short form of `make torture`: one lab on the mini-cluster, a killed worker; every score must be right.

Of rescalings, `tests/jobs/test_rescaling.py` is the short form.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.catalog import find
from pipeline.requirements import requirements
from pipeline.settings import settings
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.torture.chaos import run
from tests.torture.labs import BY_SYMBOL
from tests.torture.session import Session

pytestmark = [pytest.mark.flink, pytest.mark.aws, pytest.mark.kinesis]


def test_forests_survive_a_killed_worker(
    mini_flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise a mini-cluster's Python functions run in threads of this process.
    monkeypatch.setenv("_python_worker_execution_mode", "process")

    def kinds(rng: random.Random) -> Iterator[str]:
        yield "python worker"

    account = run(BY_SYMBOL, tmp_path, seed=1, kinds=kinds, session=Session(mini_flink, tmp_path / "session"))
    assert account.exact(), "\n".join(account.lines())
    # Least privilege: the deployed job's role allows the Kinesis actions that were called here, and no others.
    lab = find("trades")
    statements = requirements(lab, settings(lab, {"tap": {"stream": "taps"}})).statements
    allowed = {action for s in statements for action in s["Action"] if action.startswith("kinesis:")}
    assert account.calls == allowed
    assert account.rows > 100
    assert account.errors_expected > 5
