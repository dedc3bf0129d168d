"""Programs to relations, without Flink: names, types, places of what is at fault, what is written."""

from pathlib import Path

import pytest
import yaml

from kda_sql.description import Output
from kda_sql.errors import KdaSqlError
from kda_sql.translate import translate, write
from pipeline.application import read
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES
from tests.kda_sql.translated import SOURCE, problems, pump, query, translated


@pytest.mark.parametrize("case", [c for c in read_cases(CASES) if "expect" in c.tree], ids=lambda c: c.name)
def test_every_case_becomes_an_application_that_reads_back(case: Case, tmp_path: Path) -> None:
    made = translate(case.described(tmp_path))
    write(made, tmp_path / "app")
    application = read(tmp_path / "app")
    assert {made.plan.streams[s] for s in case.tree["expect"] if s != "error_stream"} <= set(
        application.shown
    )
    report = (tmp_path / "app" / "MIGRATION.md").read_text()
    for name in [*made.program.streams, *(p.name for p in made.program.pumps)]:
        assert f"`{name}`" in report


@pytest.mark.parametrize(
    ("expression", "type_", "sql"),
    [
        ("price / quantity", "DOUBLE", "`PRICE` / NULLIF(`QUANTITY`, 0)"),
        ("quantity / 2", "INTEGER", "CAST(`QUANTITY` / 2 AS INT)"),
        ("price", "INTEGER", "CAST(ROUND(`PRICE`) AS INT)"),
        ("(price - 1) * 2", "DOUBLE", "(`PRICE` - 1) * 2"),
        ("price - (1 - quantity)", "DOUBLE", "`PRICE` - (1 - `QUANTITY`)"),
        ("SUBSTRING(\"ticker\", 2, 2)", "VARCHAR(8)", "NULLIF(SUBSTRING(`ticker`, 2, 2), '')"),
        ("SUBSTRING(\"ticker\" FROM 2 FOR 2)", "VARCHAR(8)", "SUBSTRING(`ticker`, 2, 2)"),
        ("TO_TIMESTAMP(ms)", "TIMESTAMP", "CAST(TO_TIMESTAMP_LTZ(`MS`, 3) AS TIMESTAMP(3))"),
        ("traded - INTERVAL '12' MINUTE", "TIMESTAMP", "`TRADED` - INTERVAL '12' MINUTE"),
        ("traded - quantity * INTERVAL '1' SECOND", "TIMESTAMP", "- CAST(`QUANTITY` AS BIGINT) * 1000"),
        ("FLOOR(traded TO HOUR)", "TIMESTAMP", "FLOOR(`TRADED` TO HOUR)"),
        ("(traded - s.ROWTIME) SECOND", "INTEGER", "TIMESTAMPDIFF(SECOND, CAST(`rowtime` AS TIMESTAMP(3)), `TRADED`)"),
        ("STEP(quantity BY 5)", "INTEGER", "(`QUANTITY` / 5) * 5"),
        ("TIMESTAMP_TO_CHAR('HH:mm', traded)", "VARCHAR(8)", "COALESCE(DATE_FORMAT(`TRADED`, 'HH:mm'), 'null')"),
        ("TIMESTAMP_TO_CHAR('u', traded)", "VARCHAR(8)", "kda_timestamp_to_char('u', `TRADED`)"),
        ("CASE \"ticker\" WHEN 'A' THEN 1 ELSE NULL END", "INTEGER", "CASE `ticker` WHEN 'A' THEN 1"),
        ("UPPER(\"ticker\") || '!'", "VARCHAR(9)", "UPPER(`ticker`) || '!'"),
    ],
)  # fmt: skip
def test_expressions(expression: str, type_: str, sql: str) -> None:
    assert sql in query(f'SELECT STREAM {expression} FROM "{SOURCE}" AS s', f"a {type_}")


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ("\"ticker\" NOT LIKE 'x%'", "`ticker` NOT LIKE 'x%'"),
        ("NOT price BETWEEN 1 AND 2", "`PRICE` NOT BETWEEN 1 AND 2"),
        ("\"ticker\" NOT IN ('a', 'b')", "`ticker` NOT IN ('a', 'b')"),
        ("price != 3", "`PRICE` <> 3"),
        ("price IS NOT NULL", "`PRICE` IS NOT NULL"),
        ("NOT (price > 1 OR price < 0)", "NOT (`PRICE` > 1 OR `PRICE` < 0)"),
        ("fair AND (price > 1 OR price < 0)", "`FAIR` AND (`PRICE` > 1 OR `PRICE` < 0)"),
        ("traded > '2026-01-01 00:00:00'", "`TRADED` > TIMESTAMP '2026-01-01 00:00:00'"),
    ],
)
def test_conditions(condition: str, sql: str) -> None:
    made = query(f'SELECT STREAM price FROM "{SOURCE}" WHERE {condition}')
    assert sql in made.replace(" AND (`PRICE` > 1", " AND (`PRICE` > 1").replace("\n", " ")


@pytest.mark.parametrize(
    ("key", "window"),
    [
        ("STEP(s.ROWTIME BY INTERVAL '10' SECOND)", "INTERVAL '10' SECOND"),
        ("FLOOR(s.ROWTIME TO MINUTE)", "INTERVAL '1' MINUTE"),
        (
            "FLOOR((s.ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)",
            "INTERVAL '10' SECOND",
        ),
        ("FLOOR((s.ROWTIME - TIMESTAMP '1970-01-01 00:00:00') minute / 5 to minute)", "INTERVAL '5' MINUTE"),
        ("FLOOR(s.ROWTIME TO MINUTE), STEP(s.ROWTIME BY INTERVAL '5' MINUTE)", "INTERVAL '1' MINUTE"),
        ('STEP("S"."ROWTIME" BY INTERVAL \'90\' SECOND)', "INTERVAL '90' SECOND"),
    ],
)
def test_what_makes_a_window(key: str, window: str) -> None:
    made = translated(pump(f'SELECT STREAM COUNT(*) FROM "{SOURCE}" AS s GROUP BY {key}', "n INTEGER"))
    assert f"DESCRIPTOR(`rowtime`), {window}" in made.plan.steps[0].sql
    assert [s.kind for s in made.plan.steps] == ["view", "rowtime", "view"]


@pytest.mark.parametrize(
    ("call", "by"),
    [
        ("SUM(quantity) OVER (ROWS 2 PRECEDING)", "view"),
        ("MAX(price) OVER (PARTITION BY fair ROWS 2 PRECEDING)", "view"),
        ("AVG(price) OVER (ROWS UNBOUNDED PRECEDING)", "view"),
        (
            "AVG(price) OVER (ROWS 2 PRECEDING)",
            "sliding",
        ),  # a mean keeps what rounding left of rows that are gone
        ("SUM(quantity) OVER (RANGE INTERVAL '1' MINUTE PRECEDING)", "sliding"),  # rows of one moment
        ("LAG(price) OVER (ROWS 1 PRECEDING)", "sliding"),  # rows of one moment
        ("FIRST_VALUE(price) OVER (ROWS 5 PRECEDING)", "sliding"),  # NULLs count
    ],
)
def test_what_looks_back_in_flinks_sql_and_what_by_an_operator(call: str, by: str) -> None:
    made = translated(pump(f'SELECT STREAM {call} FROM "{SOURCE}" AS s', "n DOUBLE"))
    assert [s.kind for s in made.plan.steps] == [by, "view"]


@pytest.mark.parametrize(
    ("select", "column", "said"),
    [
        ("SELECT STREAM ticker FROM \"SOURCE_SQL_STREAM_001\"", 15, 'write "ticker"'),
        ("SELECT STREAM UNIX_TIMESTMP(traded) FROM \"SOURCE_SQL_STREAM_001\"", 15, "did you mean UNIX_TIMESTAMP?"),
        ("SELECT STREAM \"ticker\" FROM \"SOURCE_SQL_STREAM_001\"", 15, "VARCHAR(4) can't be assigned"),
        ("SELECT STREAM COUNT(*) FROM \"SOURCE_SQL_STREAM_001\"", 15, "needs GROUP BY"),
        ("SELECT STREAM price FROM \"SOURCE_SQL_STREAM_01\"", 26, 'did you mean "SOURCE_SQL_STREAM_001"?'),
        ("SELECT STREAM price, price FROM \"SOURCE_SQL_STREAM_001\"", 15, "takes 1 columns"),
        ("SELECT STREAM price FROM \"SOURCE_SQL_STREAM_001\" ORDER BY price", 59, "must begin with the time"),
        ("SELECT STREAM (price FROM \"SOURCE_SQL_STREAM_001\"", 22, "required )"),
        ("SELECT STREAM price FROM \"SOURCE_SQL_STREAM_001", 26, "not closed"),
        ("SELECT STREAM price FROM \"SOURCE_SQL_STREAM_001\" LIMIT 5", 50, "LIMIT is not understood"),
        ("SELECT STREAM AVG(price) OVER (PARTITION BY fair) FROM \"SOURCE_SQL_STREAM_001\"", 15, "no length"),
        ("SELECT STREAM traded - traded FROM \"SOURCE_SQL_STREAM_001\"", 15, "needs a unit"),
        ("SELECT STREAM price FROM \"Companies\"", 26, "is a reference table"),
        ("SELECT STREAM price + \"ticker\" FROM \"SOURCE_SQL_STREAM_001\"", 15, "takes numbers"),
    ],
)  # fmt: skip
def test_what_is_at_fault_and_where(select: str, column: int, said: str) -> None:
    [(line, at, message), *_] = problems(pump(select, "a DOUBLE"))
    assert (line, at) == (3, column)
    assert said in message


def test_every_problem_is_reported_at_once_with_its_line_and_a_caret() -> None:
    sql = pump(
        'SELECT STREAM no_such, nor_this FROM "SOURCE_SQL_STREAM_001" WHERE price > 1', "a DOUBLE, b DOUBLE"
    )
    sql += 'CREATE PUMP P2 AS INSERT INTO "out_stream" SELECT STREAM price FROM OUT_STREAM; CREATE TABLE x;'
    with pytest.raises(KdaSqlError) as e:
        translated(sql)
    assert [(p.line, p.column) for p in e.value.problems] == [(3, 15), (3, 24), (4, 31), (4, 88)]
    shown = str(e.value).split("\n\n")
    assert shown[0].splitlines()[0].startswith("program.sql:3:15: column NO_SUCH does not exist")
    assert shown[0].splitlines()[1].index("no_such") == shown[0].splitlines()[2].index("^")


def test_a_stream_is_made_before_who_reads_it_wherever_it_stands() -> None:
    made = translated(
        "CREATE STREAM B (x DOUBLE); CREATE PUMP PB AS INSERT INTO B SELECT STREAM x FROM A;"
        f'CREATE STREAM A (x DOUBLE); CREATE PUMP PA AS INSERT INTO A SELECT STREAM price FROM "{SOURCE}"'
    )
    assert [s.name for s in made.plan.steps] == ["A", "B"]


def test_a_pump_that_cant_be_translated_is_reported_and_the_others_run(tmp_path: Path) -> None:
    made = translated(
        f'CREATE STREAM A (x DOUBLE); CREATE PUMP PA AS INSERT INTO A SELECT STREAM price FROM "{SOURCE}";\n'
        "CREATE STREAM B (x DOUBLE); CREATE PUMP PB AS INSERT INTO B SELECT STREAM NOW() FROM A;\n"
        "CREATE STREAM C (x DOUBLE); CREATE PUMP PC AS INSERT INTO C SELECT STREAM x FROM B;\n"
        "CREATE PUMP PD AS INSERT INTO C SELECT STREAM x FROM A;\n"
        "CREATE STREAM E (x XML); CREATE PUMP PE AS INSERT INTO E SELECT STREAM x FROM A;",
        Output("B", "kinesis", "b"),
    )
    places = {name: [(p.line, p.column) for p in found] for name, found in made.plan.refused.items()}
    assert places == {"PB": [(2, 75)], "PC": [(3, 82)], "PE": [(5, 20)]}
    assert made.plan.streams == {"A": "A", "C": "C"}
    write(made, tmp_path / "app")
    assert read(tmp_path / "app").shown == (SOURCE, "A", "PD", "C")
    report = (tmp_path / "app" / "MIGRATION.md").read_text()
    assert "same, but without the rows of PC, which is not translated" in report
    assert "write CURRENT_ROW_TIMESTAMP" in report
    assert "output B: its stream is not translated" in report


def test_a_pump_that_is_created_again_is_replaced() -> None:
    made = translated(
        f'CREATE STREAM A (x DOUBLE); CREATE OR REPLACE PUMP P AS INSERT INTO A SELECT STREAM 1 FROM "{SOURCE}";'
        f'CREATE OR REPLACE PUMP P AS INSERT INTO A SELECT STREAM price FROM "{SOURCE}"'
    )
    [step] = made.plan.steps
    assert "`PRICE`" in step.sql


def test_streams_that_read_each_other_are_refused() -> None:
    sql = (
        "CREATE STREAM A (x DOUBLE); CREATE PUMP PA AS INSERT INTO A SELECT STREAM x FROM B;"
        "CREATE STREAM B (x DOUBLE); CREATE PUMP PB AS INSERT INTO B SELECT STREAM x FROM A;"
    )
    assert any("in a circle" in message for _, _, message in problems(sql))


def test_names_that_no_file_can_have_get_others() -> None:
    made = translated(
        'CREATE STREAM "Means 1" (x DOUBLE); CREATE STREAM "means_1" (x DOUBLE);'
        f'CREATE PUMP P AS INSERT INTO "Means 1" SELECT STREAM price FROM "{SOURCE}";'
        f'CREATE PUMP Q AS INSERT INTO "means_1" SELECT STREAM price FROM "{SOURCE}"'
    )
    assert made.plan.streams == {"Means 1": "Means_1", "means_1": "means_1_2"}


def test_a_division_by_zero_is_reported_and_only_where_it_is_computed() -> None:
    made = translated(
        pump(
            f'SELECT STREAM CASE WHEN quantity = 0 THEN 0 ELSE price / quantity END FROM "{SOURCE}"',
            "a DOUBLE",
        )
    )
    errors = made.plan.steps[-1]
    assert errors.kind == "errors"
    assert errors.name == "OUT_PUMP_errors"
    assert "(`QUANTITY` = 0) IS NOT TRUE" in errors.sql


def test_comments_and_names_are_kept(tmp_path: Path) -> None:
    made = translated(
        "-- the cheap ones\n" + pump(f'SELECT STREAM price /* in cents */ FROM "{SOURCE}"', "price DOUBLE")
    )
    write(made, tmp_path / "app")
    text = (tmp_path / "app" / "OUT_STREAM.sql").read_text()
    assert "-- the cheap ones\n-- in cents\n" in text
    assert "`PRICE`" in text


def test_a_statement_about_what_is_there_already_is_left_out_and_reported(tmp_path: Path) -> None:
    sql = 'DROP PUMP "old";\n' + pump(f'SELECT STREAM price FROM "{SOURCE}"', "price DOUBLE")
    made = translated(f'{sql}ALTER PUMP "OUT_PUMP" START;')
    write(made, tmp_path / "app")
    lines = (tmp_path / "app" / "MIGRATION.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines if "not translated" in line] == ["1", "5"]


def test_outputs_come_over_and_what_does_not_is_reported(tmp_path: Path) -> None:
    made = translated(
        pump(f'SELECT STREAM price FROM "{SOURCE}"', "price DOUBLE"),
        Output("OUT_STREAM", "lambda", "alert"),
        Output("ELSEWHERE", "kinesis", "x"),
        Output("error_stream", "firehose", "faults"),
    )
    write(made, tmp_path / "app")
    tree = yaml.safe_load((tmp_path / "app" / "application.yaml").read_text())
    assert tree["destinations"] == [
        {"of": "OUT_STREAM", "name": "sink", "type": "lambda", "function": "alert"}
    ]
    report = (tmp_path / "app" / "MIGRATION.md").read_text()
    assert "ELSEWHERE" in report
    assert "faults" in report


def test_it_does_not_write_over_an_application(tmp_path: Path) -> None:
    made = translated(pump(f'SELECT STREAM price FROM "{SOURCE}"', "price DOUBLE"))
    write(made, tmp_path)
    with pytest.raises(FileExistsError, match="application"):
        write(made, tmp_path)
