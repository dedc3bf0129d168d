"""The Lambda sink on a mini-cluster, with a real handler on the local AWS."""

import dataclasses
import json
import os
import signal
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.check import ConnectorError
from connectors.lambda_sink.options import LambdaSinkOptions
from infra import flink
from pipeline.environment import table_environment
from pipeline.flink_version import stop_with_savepoint
from pipeline.lambda_sink import lambda_sink
from tests.conftest import LocalAws
from tests.functions import deployed
from tests.readers import python_workers
from tests.waiting import until

pytestmark = [pytest.mark.flink, pytest.mark.aws]

#: A handler as written for KDA. A row's `fate` says what the handler does with it.
HANDLER = textwrap.dedent(
    """
    import base64, csv, json, os, time

    def parsed(data):
        return json.loads(data) if data[0] == "{" else dict(zip(("fate", "id", "rowtime"), next(csv.reader([data]))))

    def handler(event, context):
        rows = [parsed(base64.b64decode(record["data"]).decode()) for record in event["records"]]
        hints = [record["lambdaDeliveryRecordMetadata"]["retryHint"] for record in event["records"]]
        with open(os.environ["SEEN"], "a") as seen:
            for row, hint in zip(rows, hints):
                print(json.dumps([hint, row]), file=seen, flush=True)
        while os.path.exists(os.environ["HOLD"]):
            time.sleep(0.05)
        if any(row["fate"] == "raise" for row in rows):
            raise ValueError("poison")
        return {"records": [
            {"recordId": record["recordId"],
             "result": "DeliveryFailed" if row["fate"] == "fail" or (row["fate"] == "once" and hint == 0) else "Ok"}
            for record, row, hint in zip(event["records"], rows, hints)
        ]}
    """
)
ERRORS = "error_name STRING, message STRING, data_rowtime TIMESTAMP_LTZ(3), data_row STRING"
#: Rows of a source that must not end during a test: at its end the sink waits for the function, without checkpoints.
ENDLESS = 20_000
BLACKHOLE = "'connector' = 'blackhole'"


class Function:
    """A deployed handler and the rows that it got: (retryHint, row) in order."""

    def __init__(self, local_aws: LocalAws, name: str, seen: Path) -> None:
        self.seen_path = seen
        self.hold_path = seen.with_name("hold")  # no call is answered while this file is there
        seen.touch()
        self.options = LambdaSinkOptions(name, local_aws.aws, max_retries=1, batch_seconds=0.2)

    def seen(self) -> list[tuple[int, dict[str, Any]]]:
        lines = self.seen_path.read_text().splitlines()
        return [(hint, row) for hint, row in map(json.loads, lines)]

    def ids(self) -> Counter[int]:
        return Counter(row["id"] for _, row in self.seen())


@pytest.fixture
def environment(local_aws: LocalAws, tmp_path: Path) -> Callable[..., Any]:
    flink.prepare(local_aws.endpoint, tmp_path)

    def make(**options: str) -> Any:
        options = {key.replace("__", ".").replace("_", "-"): value for key, value in options.items()}
        defaults = {"restart-strategy.type": "none", "parallelism.default": "2"}
        return table_environment(
            flink.cluster("lambda", folder=tmp_path, short=True, overrides=defaults | options)
        )

    return make


@pytest.fixture
def function(local_aws: LocalAws, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Function]:
    name = f"kda-{request.node.name[:40]}"
    made = Function(local_aws, name, tmp_path / "seen")
    with deployed(local_aws.aws, name, HANDLER, 20, SEEN=str(made.seen_path), HOLD=str(made.hold_path)):
        yield made


def start(
    table_env: Any, rows: int, per_second: int, options: LambdaSinkOptions, errors: Path | None = None
) -> Any:
    """Start a job that sends rows with id 1..n to the function, and writes undelivered ones to a folder as JSON."""
    table_env.execute_sql(
        f"""CREATE TABLE source (id BIGINT, rowtime AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR rowtime AS rowtime)
        WITH ('connector' = 'datagen', 'rows-per-second' = '{per_second}', 'fields.id.kind' = 'sequence',
              'fields.id.start' = '1', 'fields.id.end' = '{rows}')"""
    )
    folder = f"'connector' = 'filesystem', 'path' = '{errors.as_uri()}', 'format' = 'json'" if errors else ""
    table_env.execute_sql(f"CREATE TABLE errors ({ERRORS}) WITH ({folder or BLACKHOLE})")
    source = table_env.sql_query(
        "SELECT id, CASE id WHEN 7 THEN 'raise' WHEN 9 THEN 'fail' WHEN 11 THEN 'once' ELSE 'ok' END AS fate, rowtime,"
        " CURRENT_ROW_TIMESTAMP() AS emitted FROM source"
    )
    statements = table_env.create_statement_set()
    statements.add_insert("errors", lambda_sink(table_env, source, options))
    return statements.execute()


def test_every_row_of_a_bounded_input_is_settled_before_the_job_ends(
    environment: Callable[..., Any], function: Function, tmp_path: Path
) -> None:
    function.options.check()
    start(environment(), 300, 100_000, function.options, tmp_path / "errors").wait()
    ids = function.ids()
    assert sorted(ids) == list(range(1, 301))
    assert min(hint for hint, row in function.seen() if row["id"] == 300) == 0
    assert function.seen()[0][1].keys() == {"id", "fate", "rowtime", "emitted"}
    assert {row["rowtime"] for _, row in function.seen() if row["id"] == 7} == {"1970-01-01 00:00:00.007"}
    errors = [
        json.loads(line) for path in (tmp_path / "errors").iterdir() for line in path.read_text().splitlines()
    ]
    given_up = {json.loads(bytes.fromhex(error["data_row"]))["id"]: error for error in errors}
    assert {id_: error["error_name"] for id_, error in given_up.items()} == {
        7: "FunctionError",
        9: "DeliveryFailed",
    }
    assert given_up[9]["data_rowtime"] == "1970-01-01 00:00:00.009Z"
    assert "poison" in given_up[7]["message"]
    # Rows that shared a call with the poison row are repeated, but only until it is found.
    assert max(count for id_, count in ids.items() if id_ not in (7, 9, 11)) <= 5


#: A column of each type, as SQL, and its JSON.
TYPES = {
    "TRUE": True,
    "CAST(-5 AS TINYINT)": -5,
    "CAST(1.5 AS FLOAT)": 1.5,
    "CAST(12.50 AS DECIMAL(9, 2))": 12.5,
    "DATE '2024-01-31'": "2024-01-31",
    "TIME '12:34:56'": "12:34:56",
    "TIMESTAMP '2024-01-31 12:34:56.789'": "2024-01-31 12:34:56.789",
    "TO_TIMESTAMP_LTZ(-1500, 3)": "1969-12-31 23:59:58.500",
    "CAST(ENCODE('a', 'UTF-8') AS BYTES)": "YQ==",
    "ARRAY[1, 2]": [1, 2],
    "MAP['k', 0.5E0]": {"k": 0.5},
    "CAST(ROW('x', ARRAY[DATE '2024-01-31']) AS ROW<kind STRING, days ARRAY<DATE>>)": {
        "kind": "x",
        "days": ["2024-01-31"],
    },
    "CAST(NULL AS STRING)": None,
}


def test_two_sinks_to_one_function_of_which_one_writes_csv(
    environment: Callable[..., Any], function: Function
) -> None:
    table_env = environment()
    table_env.execute_sql(f"CREATE TABLE errors ({ERRORS}) WITH ({BLACKHOLE})")
    typed = ", ".join(f"{value} AS `type {n}`" for n, value in enumerate(TYPES))
    given = (
        "SELECT fate, id, TO_TIMESTAMP_LTZ(1700000000123, 3) AS rowtime{} FROM (VALUES ('ok', 1), ('a, \"b\"', 2),"
        " ('ok', 3)) AS t(fate, id)"
    )
    statements = table_env.create_statement_set()
    for name, form, more in (("first", "json", f", {typed}"), ("second", "csv", "")):
        options = dataclasses.replace(
            function.options, name=name, format=form, key_column="fate", concurrency=4
        )
        rows = table_env.sql_query(given.format(more))
        statements.add_insert("errors", lambda_sink(table_env, rows, options))
    statements.execute().wait()
    rows = [row for _, row in function.seen()]
    of_types = {f"type {n}": value for n, value in enumerate(TYPES.values())}
    for typed_row, more in ((True, of_types), (False, {})):
        mine = [row for row in rows if ("type 0" in row) == typed_row]
        ids = [1, 2, 3] if typed_row else ["1", "2", "3"]
        assert sorted(mine, key=lambda row: row["id"]) == [
            {"fate": fate, "id": id_, "rowtime": "2023-11-14 22:13:20.123"} | more
            for fate, id_ in zip(("ok", 'a, "b"', "ok"), ids, strict=True)
        ]
        # Rows of one key come in order.
        assert [row["id"] for row in mine if row["fate"] == "ok"] == [ids[0], ids[2]]


def test_a_worker_killed_between_call_and_acknowledgement_loses_nothing(
    environment: Callable[..., Any], function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    function.hold_path.touch()
    table_env = environment(
        execution__checkpointing__interval="200 ms",
        restart_strategy__type="fixed-delay",
        restart_strategy__fixed_delay__attempts="10",
        restart_strategy__fixed_delay__delay="100 ms",
    )
    job = start(table_env, ENDLESS, 50, function.options).get_job_client()
    unanswered: set[int] = set()
    for killed_after in (20, 100):
        # Calls are in flight and not answered; a checkpoint holds a source position behind their rows.
        until(lambda: len(function.ids()) > killed_after)  # noqa: B023
        passed = newest_checkpoint(tmp_path)
        until(lambda: newest_checkpoint(tmp_path) >= passed + 2)  # noqa: B023
        unanswered |= set(function.ids())
        workers = until(python_workers)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        until(lambda: not set(workers) & set(python_workers()))  # noqa: B023
        killed = datetime.now(UTC).strftime("%F %T.%f")
    function.hold_path.unlink()
    # Calls of the killed workers may still run, but a row that was emitted later came from the new ones.
    until(lambda: len(emitted_since(killed, function)) > 50)
    last = min(emitted_since(killed, function))
    until(lambda: set(range(1, last)) <= set(function.ids()), f"rows 1 to {last}")
    # The function got these rows, but the job has no answer: they must come again, in any order with new rows.
    until(lambda: min(function.ids()[id_] for id_ in unanswered) >= 2, "unanswered rows again")
    job.cancel().result()
    # Answered rows must not.
    assert set(emitted_since(killed, function).values()) == {1}


def emitted_since(time: str, function: Function) -> Counter[int]:
    """How often each row came that the source emitted after a time."""
    return Counter(row["id"] for _, row in function.seen() if row["emitted"] > time)


def test_a_savepoint_keeps_unacknowledged_rows_for_fewer_subtasks_and_buckets(
    environment: Callable[..., Any], function: Function, tmp_path: Path
) -> None:
    function.hold_path.touch()
    rows = 4_000
    job = start(environment(), rows, 50, function.options).get_job_client()
    until(lambda: len(function.ids()) > 50)
    savepoint = stop_with_savepoint(job, tmp_path / "savepoint")
    unanswered = set(function.ids())
    function.hold_path.unlink()
    fewer = dataclasses.replace(function.options, concurrency=1)
    table_env = environment(parallelism__default="1", execution__state_recovery__path=savepoint)
    # Bounded: the rows that one of the two subtasks had left come before those of the other.
    start(table_env, rows, 1000, fewer).wait()
    assert set(function.ids()) == set(range(1, rows + 1))
    assert min(function.ids()[id_] for id_ in unanswered) >= 2


def test_a_missing_function_fails_early_with_one_line(
    environment: Callable[..., Any], local_aws: LocalAws
) -> None:
    options = LambdaSinkOptions("nobody", local_aws.aws)
    with pytest.raises(ConnectorError, match="Lambda function nobody: not found") as early:
        options.check()
    assert "\n" not in str(early.value)
    with pytest.raises(Exception, match=r"Lambda function nobody in us-east-1 at .* can't be used"):
        start(environment(), 10, 1000, options).wait()


def newest_checkpoint(folder: Path) -> int:
    """Number of the last complete checkpoint; 0 before the first."""
    found = (folder / "checkpoints" / "lambda").glob("*/chk-*/_metadata")
    return max((int(path.parent.name.removeprefix("chk-")) for path in found), default=0)
