"""A stream joined to a reference table on a mini-cluster: every match a row, at once, with the stream's time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.reference import ReferenceFile
from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records
from udfs.decoding.record_format import RecordFormat
from udfs.lookup import lookup
from udfs.reference_table import ReferenceTable

pytestmark = pytest.mark.flink

LOAVES = ReferenceTable(
    (
        Column("Code", "VARCHAR(4)", "$.a"),
        Column("Title", "VARCHAR(16)", "$.b"),
        Column("Grams", "INTEGER", "$.c"),
    ),
    RecordFormat("csv"),
)
SALES = [
    (0.0, b'{"shop":"Quay","code":"R1"}'),
    (1.0, b'{"shop":"Quay","code":"S1"}'),
    (2.0, b'{"shop":"Mill","code":"Z9"}'),
    (3.0, b'{"shop":"Mill"}'),
    (9.0, b'{"shop":"Quay","code":"W1"}'),
]


@pytest.fixture
def loaves(tmp_path: Path) -> ReferenceFile:
    path = tmp_path / "loaves.csv"
    path.write_text("R1,Rye,750\nS1,Spelt,500\nS1,Spelt sliced,480\nW1,Wheat,\n")
    return ReferenceFile(path.as_uri(), Aws("us-east-1"))


def sales(table_env: Any, code: str = "code") -> Any:
    columns = [Column("shop", "VARCHAR(8)", "$.shop"), Column(code, "VARCHAR(4)", "$.code")]
    records = MemorySource(SALES).records(table_env, "memory")
    rows, _, _ = decode_records(table_env, records, columns, name="sales")
    return rows


def collected(table_env: Any, query: str) -> list[tuple[Any, ...]]:
    with table_env.sql_query(query).execute().collect() as rows:
        return [tuple(row) for row in rows]


def test_left_and_inner_with_several_matches_none_and_null(mini_flink: Flink, loaves: ReferenceFile) -> None:
    table_env = mini_flink.environment()
    stream = sales(table_env)
    for kind in ("left", "inner"):
        joined = lookup(table_env, stream, f"{kind}_sales", loaves, LOAVES, {"code": "Code"}, kind)
        assert joined.get_schema().get_field_names() == ["shop", "code", "rowtime", "Code", "Title", "Grams"]
        table_env.create_temporary_view(f"{kind}_sales", joined)
    at = "DATE_FORMAT(rowtime, 'ss')"
    every = collected(table_env, f"SELECT {at}, shop, code, Title, Grams FROM left_sales")
    assert every == [
        ("00", "Quay", "R1", "Rye", 750),
        ("01", "Quay", "S1", "Spelt", 500),
        ("01", "Quay", "S1", "Spelt sliced", 480),
        ("02", "Mill", "Z9", None, None),
        ("03", "Mill", None, None, None),
        ("09", "Quay", "W1", "Wheat", None),
    ]
    # Time and its watermarks are the stream's: a window on arrival closes and has what came in it.
    windows = collected(
        table_env,
        "SELECT DATE_FORMAT(window_start, 'ss'), COUNT(*), SUM(Grams) FROM TABLE(TUMBLE(TABLE inner_sales,"
        " DESCRIPTOR(rowtime), INTERVAL '5' SECOND)) GROUP BY window_start, window_end",
    )
    assert windows == [("00", 3, 1730), ("05", 1, None)]


def test_a_column_of_the_same_name_that_is_joined_is_there_once(
    mini_flink: Flink, loaves: ReferenceFile
) -> None:
    table_env = mini_flink.environment()
    stream = sales(table_env, code="Code")
    joined = lookup(
        table_env, stream, "joined", loaves, LOAVES, {"Code": "Code"}, reload=timedelta(seconds=1)
    )
    assert joined.get_schema().get_field_names() == ["shop", "Code", "rowtime", "Title", "Grams"]
    table_env.create_temporary_view("joined", joined)
    assert len(collected(table_env, "SELECT shop, Title FROM joined")) == 4


def test_what_can_never_match_is_refused_where_the_job_is_built(
    mini_flink: Flink, loaves: ReferenceFile
) -> None:
    table_env = mini_flink.environment()
    stream = sales(table_env)

    def joined(on: dict[str, str], kind: str = "left", reference: ReferenceTable = LOAVES) -> Any:
        return lookup(table_env, stream, "joined", loaves, reference, on, kind)

    with pytest.raises(ValueError, match=r"^joined: on must be one of shop, code, rowtime, got cod$"):
        joined({"cod": "Code"})
    with pytest.raises(ValueError, match=r"^joined: on must be one of Code, Title, Grams, got code$"):
        joined({"code": "code"})
    with pytest.raises(ValueError, match=r"^joined: code VARCHAR\(4\) never equals Grams INTEGER"):
        joined({"code": "Grams"})
    with pytest.raises(ValueError, match="join must be inner or left, got 'outer'"):
        joined({"code": "Code"}, "outer")
    same = ReferenceTable(
        (Column("code", "STRING", "$.a"), Column("shop", "STRING", "$.b")), RecordFormat("csv")
    )
    with pytest.raises(ValueError, match="joined: both tables have shop: rename"):
        joined({"code": "code"}, "left", same)
