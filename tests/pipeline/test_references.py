"""Reference tables in an application's description: joined, checked before the start."""

from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.reference import ReferenceFile
from pipeline.application import Application, parse
from pipeline.parts import ReferenceSpec
from pipeline.settings import settings
from pipeline.sources import check_reference
from pipeline.trial import rows_of
from tests.jobs.conftest import EPOCH, Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

START = round(EPOCH.timestamp() * 1000)


def fleet(path: Path) -> Application:
    tree: dict[str, Any] = {
        "title": "Averages with depots",
        "sources": {
            "averages": {"stream": "s", "columns": {"vehicle": "VARCHAR(8)", "speed": "DOUBLE"}},
        },
        "references": {
            "vehicles": {
                "path": path.as_uri(),
                "header": True,
                "delimiter": ";",
                "columns": {"vehicle": "VARCHAR(8)", "depot": "VARCHAR(20)"},
            },
        },
        "relations": [
            {
                "lookup": "with_depot",
                "of": "averages",
                "reference": "vehicles",
                "on": {"vehicle": "vehicle"},
                "join": "left",
            },
            "by_depot",
        ],
    }
    query = """SELECT depot, COUNT(*) AS number, window_time AS rowtime
        FROM TABLE(TUMBLE(TABLE with_depot, DESCRIPTOR(rowtime), INTERVAL '5' SECOND))
        GROUP BY depot, window_start, window_end, window_time"""
    return parse(tree, name="fleet", folder=Path("fleet"), queries={"by_depot": query})


@pytest.mark.flink
def test_a_reference_table_is_joined_and_rowtime_goes_on(mini_flink: Flink, tmp_path: Path) -> None:
    path = tmp_path / "vehicles.csv"
    path.write_text("vehicle;depot\nv1;North\nv2;South\nv2;East\n")
    application = fleet(path)
    records = [(START + n * 1000, f'{{"vehicle": "v{n % 4}", "speed": {n}}}'.encode()) for n in range(8)]
    rows = rows_of(
        mini_flink.environment(),
        application,
        settings(application, {}),
        {"averages": records},
        ["with_depot", "by_depot"],
    )
    first = [(row.rowtime, row.values["vehicle"], row.values["depot"]) for row in rows["with_depot"][:5]]
    assert first == [
        ("2024-01-31 12:00:00.000", "v0", None),
        ("2024-01-31 12:00:01.000", "v1", "North"),
        ("2024-01-31 12:00:02.000", "v2", "South"),
        ("2024-01-31 12:00:02.000", "v2", "East"),
        ("2024-01-31 12:00:03.000", "v3", None),
    ]
    found = {(row.rowtime, row.values["depot"], row.values["number"]) for row in rows["by_depot"]}
    assert found == {
        ("2024-01-31 12:00:04.999", None, 3),
        ("2024-01-31 12:00:04.999", "North", 1),
        ("2024-01-31 12:00:04.999", "South", 1),
        ("2024-01-31 12:00:04.999", "East", 1),
        ("2024-01-31 12:00:09.999", None, 1),
        ("2024-01-31 12:00:09.999", "North", 1),
        ("2024-01-31 12:00:09.999", "South", 1),
        ("2024-01-31 12:00:09.999", "East", 1),
    }


def test_a_file_that_is_missing_or_does_not_fit_is_reported_before_the_start(tmp_path: Path) -> None:
    spec = ReferenceSpec.model_validate({"path": "", "columns": {"vehicle": "VARCHAR(8)", "seats": "INT"}})
    path = tmp_path / "vehicles.csv"
    file = ReferenceFile(path.as_uri(), Aws("us-east-1"))
    with pytest.raises(ConnectorError, match=r"reference table .*vehicles\.csv: No such file"):
        check_reference(file, spec.table)
    path.write_text("v1,4\nv2,many\n")
    with pytest.raises(
        ConnectorError, match=r"vehicles\.csv: row 2: column seats INT: required a whole number"
    ):
        check_reference(file, spec.table)
    path.write_text("v1,4\n")
    check_reference(file, spec.table)
