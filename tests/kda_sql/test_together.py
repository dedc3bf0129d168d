"""Cases that share a job, without Flink."""

from pathlib import Path
from typing import Any

from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES, verdicts
from tests.kda_sql.together import rows_of, tried


def test_of_cases_that_do_not_run_together_each_says_why_by_itself(tmp_path: Path) -> None:
    cases = [c for c in read_cases(CASES) if "expect" in c.tree][:5]
    tried_with: list[int] = []

    def environment(**options: str) -> Any:
        tried_with.append(1)
        raise OSError("no cluster")

    found = rows_of(
        [tried(c, tmp_path / c.name, f"c{i}_") for i, c in enumerate(cases)], tmp_path / "job", environment
    )
    assert {name: str(error) for name, error in found.items()} == {c.name: "no cluster" for c in cases}
    assert len(tried_with) == 9  # all five, two and three, one by one


def test_a_case_whose_description_is_wrong_fails_alone(tmp_path: Path) -> None:
    cases = [c for c in read_cases(CASES) if "expect_error" in c.tree]
    bad = Case(
        cases[0].path, cases[0].tree | {"name": "bad", "sources": {"S": {"record_format": {}, "columns": []}}}
    )
    found = verdicts([bad, *cases], tmp_path, lambda **options: None)
    assert "RecordColumns" in "".join(found.pop("bad"))
    assert found == {c.name: [] for c in cases}
