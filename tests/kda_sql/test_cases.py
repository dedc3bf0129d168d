"""Every case as a real job: records in, rows out, error stream included; eight together, on one mini-cluster.

A case that keeps state is stopped in its middle, and another job goes on from the savepoint; one that keeps none has
nothing to lose, and runs through. ``make kda-sql-cases`` runs all of them through, ``--stop`` stops all.
"""

import re
from functools import partial

import pytest

from tests.jobs.conftest import Flink
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES, verdicts

pytestmark = pytest.mark.flink
ALL = [*read_cases(CASES), *read_cases(CASES.with_name("more_cases"))]
KEEPS_STATE = re.compile(r"GROUP BY|ORDER BY|OVER|JOIN|DISTINCT|WINDOWED|TABLE *\(|COUNT *\(", re.IGNORECASE)


@pytest.fixture(scope="module")
def found(mini_flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    stopped = [case for case in ALL if KEEPS_STATE.search(case.sql) and "expect" in case.tree]
    through = [case for case in ALL if case not in stopped]
    assert len(stopped) > 20 > len(through) > 5
    folder = tmp_path_factory.mktemp("cases")
    # The code of eight programs is longest, and would take a third of the planning to split.
    environment = partial(mini_flink.environment, table__generated_code__max_length="150000")
    return verdicts(through, folder / "through", environment) | verdicts(
        stopped, folder / "stopped", environment, stop=True
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_holds(case: Case, found: dict[str, list[str]]) -> None:
    assert found[case.name] == []
