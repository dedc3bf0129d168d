"""What Flink refuses is reported in one line: file, line, column, what was meant."""

from pathlib import Path

import pytest

from pipeline.application import Application, parse
from pipeline.flink_errors import QueryError
from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

pytestmark = pytest.mark.flink

BAD = [
    ("SELECT price,\n  prise * 2 AS twice\nFROM trades", "asked.sql:2:3: ", "the nearest is price"),
    ("SELECT price FROM trades\nWHERE price > > 1", "asked.sql:2:13: ", "is not expected here"),
    ("SELECT price\nFROM trades\nWHERE ABBS(price) > 1", "asked.sql:3:7: ", "ABBS"),
    ("SELECT price + ticker AS x FROM trades", "asked.sql:1:8: ", "+"),
    ("SELECT price FROM trades WHERE", "asked.sql:1:", "is not expected here"),
    ("INSERT INTO trades SELECT * FROM trades", "asked.sql", "query"),
    ("DROP TABLE trades", "asked.sql", "query"),
    ("SELECT price FROM trades; SELECT 1 FROM trades", "asked.sql", "single statement"),
    (
        "SELECT price FROM trades /*+ OPTIONS('connector'='filesystem','path'='/etc/passwd') */",
        "asked.sql",
        "Hints can only be applied to tables",
    ),
]


def application(query: str, **more: object) -> Application:
    tree = {
        "title": "Trades",
        "sources": {"trades": {"stream": "s", "columns": {"price": "DOUBLE", "ticker": "VARCHAR(8)"}}},
        "relations": ["asked"],
        **more,
    }
    return parse(tree, name="faulty", folder=Path("faulty"), queries={"asked": query})


@pytest.mark.parametrize(("query", "where", "said"), BAD)
def test_a_refused_query_is_one_line(mini_flink: Flink, query: str, where: str, said: str) -> None:
    with pytest.raises(QueryError) as refused:
        mini_flink.pipeline(application(query), mini_flink.environment(), {"trades": MemorySource([])})
    assert str(refused.value).startswith(where)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_updates_rows_that_it_gave_is_named(mini_flink: Flink) -> None:
    counting = application(
        "SELECT ticker, COUNT(*) AS trades_so_far FROM trades GROUP BY ticker",
        destinations=[{"of": "asked", "type": "s3", "path": "file:///tmp/x/"}],
    )
    groups = {"errors": {"path": "file:///tmp/x/"}}
    pipeline = mini_flink.pipeline(counting, mini_flink.environment(), {"trades": MemorySource([])}, groups)
    pipeline.deliver()
    with pytest.raises(ValueError, match="faulty: a GroupAggregate updates rows that it has emitted"):
        pipeline.explain()
