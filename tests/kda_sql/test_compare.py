"""The runner itself: a case that does not hold must be reported."""

from pathlib import Path
from typing import Any

import pytest

from kda_sql.errors import KdaSqlError
from kda_sql.translate import translate
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.compare import differences, errors_differ
from tests.kda_sql.run import CASES, refused

ROWS = [{"ROWTIME": 1_772_445_660_000, "A": 1}, {"ROWTIME": 1_772_445_720_000, "A": 2}]
FIRST = {"ROWTIME": "2026-03-02T10:01:00.000Z", "A": 1}
SECOND = {"ROWTIME": "2026-03-02T10:02:00.000Z", "A": 2}
NO_CASE = Case(Path("none.yaml"), {})


def reported(expected: Any, rows: Any = ROWS) -> list[str]:
    return list(differences(NO_CASE, "S", expected, rows))


def test_rows_in_their_order() -> None:
    assert reported({"order": "exact", "rows": [FIRST, SECOND]}) == []
    assert len(reported({"order": "exact", "rows": [SECOND, FIRST]})) == 2
    assert reported({"order": "any", "rows": [SECOND, FIRST]}) == []
    assert reported({"order": {"per_key": "A"}, "rows": [SECOND, FIRST]}) == []


@pytest.mark.parametrize("rows", [ROWS[:1], [*ROWS, ROWS[0]], []])
@pytest.mark.parametrize("order", ["exact", "any", {"per_key": "A"}])
def test_no_more_and_no_fewer(rows: Any, order: Any) -> None:
    assert reported({"order": order, "rows": [FIRST, SECOND]}, rows)


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        (None, None, True),
        (None, "null", False),
        ("null", None, False),
        (1.0, 1.0000001, True),
        (1, 2, False),
        (True, 1, False),
        ("a", "a  ", True),
        ("2026-03-02 10:00:00.000", "2026-03-02T10:00:00", True),
        ("2026-03-02 10:00:00.001", "2026-03-02T10:00:00", False),
        ({"any_of": [None, "null"]}, None, True),
        ({"is": "timestamp"}, None, False),
    ],
)
def test_values(want: Any, got: Any, same: bool) -> None:
    row = {"ROWTIME": ROWS[0]["ROWTIME"], "A": got}
    assert (reported({"order": "exact", "rows": [FIRST | {"A": want}]}, [row]) == []) is same


def test_error_rows_are_all_expected_and_all_there() -> None:
    row = {"data_row": b"id m4".hex(), "message": "division by ZERO", "error_name": "X", "pump_name": "P"}
    want = {"data_contains": "m4", "message_contains": "zero", "pump": "P"}
    assert list(errors_differ([want], [row])) == []
    assert list(errors_differ([want | {"pump": "Q"}], [row]))
    assert list(errors_differ([], [row]))
    assert list(errors_differ([want, want], [row]))


@pytest.mark.parametrize(
    "case", [c for c in read_cases(CASES) if "expect_error" in c.tree], ids=lambda case: case.name
)
def test_a_refusal_at_another_place_does_not_hold(case: Case, tmp_path: Path) -> None:
    with pytest.raises(KdaSqlError) as e:
        translate(case.described(tmp_path))
    assert list(refused(case, e.value)) == []
    elsewhere = {**case.tree, "expect_error": {"line": 1, "column": 1, "contains": ["nobody says this"]}}
    assert len(list(refused(Case(case.path, elsewhere), e.value))) == 2
