"""`kda import`: a folder and what is reported, or every problem with its place and nothing written."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from pipeline.application import read
from tests.kda_sql.descriptions import SCHEMA, description

SQL = """-- by the minute
CREATE OR REPLACE STREAM "COUNTS" (ticker VARCHAR(4), n INTEGER);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "COUNTS"
SELECT STREAM {column}, COUNT(*) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY ticker, STEP(s.ROWTIME BY INTERVAL '1' MINUTE);
ALTER PUMP "P" START;
"""


def kda(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["import", *arguments])
    return result.exit_code, result.output


def written(folder: Path, column: str = "ticker") -> tuple[str, str]:
    (folder / "counts.sql").write_text(SQL.format(column=column))
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    return str(folder / "counts.sql"), str(folder / "schema.json")


def test_a_file_of_sql(tmp_path: Path) -> None:
    sql, schema = written(tmp_path)
    code, said = kda(sql, "--to", str(tmp_path / "out"), "--schema", schema, "--stream", "ticks")
    assert code == 0, said
    assert "1 stream, 1 pump: 1 the same" in said
    assert "line 6 is not translated" in said
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {
        "application.yaml",
        "COUNTS.sql",
        "MIGRATION.md",
    }
    assert "stream: ticks" in (tmp_path / "out" / "application.yaml").read_text()


SCORED = """CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (price REAL, ANOMALY_SCORE DOUBLE);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM price, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
  CURSOR(SELECT STREAM price FROM "SOURCE_SQL_STREAM_001"), 100, 64, 100000, 1));
"""


def test_alerts_beside_the_scores_if_asked(tmp_path: Path) -> None:
    sql, schema = written(tmp_path)
    arguments = [sql, "--to", str(tmp_path / "out"), "--schema", schema, "--detector"]
    code, said = kda(*arguments)
    assert code == 1
    assert "required a RANDOM_CUT_FOREST" in said
    assert not (tmp_path / "out").exists()
    (tmp_path / "counts.sql").write_text(SCORED)
    price = {"Name": "PRICE", "SqlType": "REAL", "Mapping": "$.price"}
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA | {"RecordColumns": [price]}))
    code, said = kda(*arguments)
    assert code == 0, said
    (detector,) = read(tmp_path / "out").detectors
    assert (detector.name, detector.columns, detector.sub_sample_size) == ("detections", ("PRICE",), 64)
    assert "alerts" in read(tmp_path / "out").shown


def test_what_is_not_translated_is_reported_and_the_rest_runs(tmp_path: Path) -> None:
    sql, schema = written(tmp_path)
    with Path(sql).open("a") as file:
        file.write(
            'CREATE STREAM A (n INTEGER); CREATE PUMP Q AS INSERT INTO A SELECT STREAM NOW() FROM "COUNTS";'
        )
    code, said = kda(sql, "--to", str(tmp_path / "out"), "--schema", schema, "--stream", "ticks")
    assert code == 0, said
    assert "2 streams, 2 pumps: 1 not translated, 1 the same" in said
    assert "counts.sql:7:75: NOW is not translated: write CURRENT_ROW_TIMESTAMP" in said
    assert "counts.sql:7:75" in (tmp_path / "out" / "MIGRATION.md").read_text()


def test_a_description(tmp_path: Path) -> None:
    (tmp_path / "app.json").write_text(json.dumps(description(2)))
    code, said = kda(str(tmp_path / "app.json"), "--to", str(tmp_path / "out"))
    assert code == 0, said
    assert "roles and accounts are not imported" in said


def test_a_problem_is_shown_where_it_stands_and_nothing_is_written(tmp_path: Path) -> None:
    sql, schema = written(tmp_path, column="tickr")
    code, said = kda(sql, "--to", str(tmp_path / "out"), "--schema", schema)
    assert code == 1
    lines = said.splitlines()
    assert lines[0].startswith("counts.sql:4:15: column TICKR does not exist")
    assert lines[1].index("tickr") == lines[2].index("^")
    assert not (tmp_path / "out").exists()


def test_it_writes_over_nothing(tmp_path: Path) -> None:
    sql, schema = written(tmp_path)
    code, said = kda(sql, "--to", str(tmp_path), "--schema", schema)
    assert code == 1
    assert "required a folder that does not exist yet" in said


def test_a_file_of_sql_alone_says_what_is_missing(tmp_path: Path) -> None:
    sql, _ = written(tmp_path)
    code, said = kda(sql, "--to", str(tmp_path / "out"))
    assert code == 1
    assert "--schema" in said
