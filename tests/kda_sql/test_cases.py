"""Every case as a real job: records in, rows out, error stream included; eight together, on one mini-cluster.

Those of `STOPPED` are stopped in their middle, and another job goes on from the savepoint. ``make kda-sql-cases`` runs
all of them through, ``--stop`` stops all.
"""

from functools import partial

import pytest

from tests.jobs.conftest import Flink
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES, verdicts

pytestmark = pytest.mark.flink
ALL = [*read_cases(CASES), *read_cases(CASES.with_name("more_cases"))]
#: Each kind of operator that keeps state is in one of these.
STOPPED = {
    "lab-sessionization",
    "lab-trade-anomalies",
    "hotspots",
    "top-k-and-distinct-items",
    "stream-joins-two-windows",
    "reference-joins",
    "groups-of-every-kind",
    "moved-windows-and-forms",
}


@pytest.fixture(scope="module")
def found(mini_flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    stopped = [case for case in ALL if case.name in STOPPED]
    through = [case for case in ALL if case not in stopped]
    assert len(stopped) == len(STOPPED)
    folder = tmp_path_factory.mktemp("cases")
    # The code of eight programs is longest, and would take a third of the planning to split.
    environment = partial(mini_flink.environment, table__generated_code__max_length="150000")
    return verdicts(through, folder / "through", environment) | verdicts(
        stopped, folder / "stopped", environment, stop=True
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_holds(case: Case, found: dict[str, list[str]]) -> None:
    assert found[case.name] == []
