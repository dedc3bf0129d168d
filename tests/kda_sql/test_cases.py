"""Every case as a real job: records in, rows out, error stream included; all together, on one mini-cluster.

And again with a stop in the middle, after which another job goes on from the savepoint.
"""

import pytest

from tests.jobs.conftest import Flink
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES, verdicts

pytestmark = pytest.mark.flink
ALL = [*read_cases(CASES), *read_cases(CASES.with_name("more_cases"))]
Verdicts = dict[str, list[str]]


@pytest.fixture(scope="module")
def straight(mini_flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    return verdicts(ALL, tmp_path_factory.mktemp("cases"), mini_flink.environment)


@pytest.fixture(scope="module")
def stopped(mini_flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    return verdicts(ALL, tmp_path_factory.mktemp("cases"), mini_flink.environment, stop=True)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_holds(case: Case, straight: Verdicts) -> None:
    assert straight[case.name] == []


@pytest.mark.parametrize("case", [c for c in ALL if "expect" in c.tree], ids=lambda case: case.name)
def test_holds_over_a_stop(case: Case, stopped: Verdicts) -> None:
    assert stopped[case.name] == []
