"""Every case as a real job: records in, rows out, error stream included; all on one mini-cluster.

And again with a stop in the middle, after which another job goes on from the savepoint.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.jobs.conftest import Flink
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES, faults

pytestmark = pytest.mark.flink


@pytest.fixture(scope="module")
def environment(mini_flink: Flink) -> Any:
    return mini_flink.environment


ALL = [*read_cases(CASES), *read_cases(CASES.with_name("more_cases"))]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_holds(case: Case, environment: Any, tmp_path: Path) -> None:
    assert list(faults(case, tmp_path, environment)) == []


@pytest.mark.parametrize("case", [c for c in ALL if "expect" in c.tree], ids=lambda case: case.name)
def test_holds_over_a_stop(case: Case, environment: Any, tmp_path: Path) -> None:
    assert list(faults(case, tmp_path, environment, stop=True)) == []
