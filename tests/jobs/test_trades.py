"""Lab 3's real SQL over records from memory: rows in, rows out."""

import json
import random
from typing import Any

import numpy as np
import pytest

from tests.jobs.conftest import Flink, MemorySource, rows_of
from udfs.random_cut_forest import RandomCutForest

pytestmark = pytest.mark.flink

FOREST = {"sub_sample_size": 64, "number_of_trees": 50, "seed": 5}


def trade(number: int, price: float | None, quantity: int, ticker: str = "AMZN") -> bytes:
    record = {"tickerSymbol": ticker, "tradeType": "BUY", "price": price, "quantity": quantity, "id": number}
    return json.dumps(record).encode()


def ordinary(count: int, tickers: tuple[str, ...] = ("AMZN",)) -> list[tuple[float, bytes]]:
    rng = random.Random(1)
    return [
        (i * 0.01, trade(i, rng.gauss(100, 3), rng.randint(40, 60), tickers[i % len(tickers)]))
        for i in range(count)
    ]


def compose(mini_flink: Flink, rows: list[tuple[float, bytes]], **forest: Any) -> Any:
    """The job's relations over these records, without its sinks."""
    table_env = mini_flink.environment()
    groups = {"random_cut_forest": FOREST | forest}
    mini_flink.pipeline("trades", table_env, {"source_sql_stream": MemorySource(rows)}, groups)
    return table_env


def scores(rows: list[tuple[float, bytes]]) -> list[float]:
    """The scores of a forest outside Flink for the same trades in the same order."""
    trades = [json.loads(data) for _, data in rows]
    points = np.array([[t["price"], t["quantity"]] for t in trades])
    found: list[float] = RandomCutForest(2, **FOREST).score_many(points).tolist()
    return found


def expected_scores(rows: list[tuple[float, bytes]]) -> dict[int, float]:
    """The same scores by the trades' ids."""
    return dict(zip((json.loads(data)["id"] for _, data in rows), scores(rows), strict=True))


def test_scores_every_trade_and_orders_the_anomalies(mini_flink: Flink) -> None:
    # Two anomalies in one second, the smaller first; one on the next second's very first millisecond.
    outliers = [(4.1, trade(901, 300.0, 150)), (4.2, trade(902, 900.0, 900)), (5.0, trade(903, 600.0, 500))]
    rows = ordinary(300) + outliers
    table_env = compose(mini_flink, rows)

    query = (
        "SELECT 'scored', id, anomaly_score FROM temp_stream"
        " UNION ALL SELECT 'found', id, anomaly_score FROM destination_sql_stream"
    )
    everything = rows_of(table_env, query)
    scored = [row[1:] for row in everything if row[0] == "scored"]
    assert [i for i, _ in scored] == [*range(300), 901, 902, 903]
    assert dict(scored) == expected_scores(rows)
    assert all(score == 0.0 for _, score in scored[:64])
    assert [row[1] for row in everything if row[0] == "found"][-3:] == [902, 901, 903]


@pytest.mark.parametrize("buckets", [16, 2048])
def test_a_forest_for_each_ticker(mini_flink: Flink, buckets: int) -> None:
    rows = ordinary(300, ("A", "B", "C"))
    table_env = compose(mini_flink, rows, partition_by="ticker_symbol", buckets=buckets)
    scored = dict(rows_of(table_env, "SELECT id, anomaly_score FROM temp_stream"))
    for first in range(3):
        assert {i: scored[i] for i in range(first, 300, 3)} == expected_scores(rows[first::3])


def test_an_idle_forest_is_forgotten_by_the_streams_time(mini_flink: Flink) -> None:
    first = ordinary(100)
    # A minute and a second after the last trade by arrival time, but immediately after it by the clock.
    second = [(seconds + 0.99 + 61, data) for seconds, data in ordinary(100)]
    for idle_expiry, expected in (60, [first, second]), (70, [first + second]):
        table_env = compose(mini_flink, first + second, idle_expiry=str(idle_expiry))
        found = [score for _, score in rows_of(table_env, "SELECT id, anomaly_score FROM temp_stream")]
        assert found == [score for rows in expected for score in scores(rows)]


def test_a_bad_row_is_reported_and_the_others_score_as_if_it_were_not_there(mini_flink: Flink) -> None:
    good = ordinary(100)
    bad = [(0.5, trade(900, None, 5)), (0.5, b"{"), (0.5, b'{"price": 1e999, "quantity": 1}')]
    rows = [*good[:50], *bad, *good[50:]]
    table_env = compose(mini_flink, rows, explain=True)
    query = (
        "SELECT CAST(id AS STRING), anomaly_score, anomaly_explanation FROM temp_stream"
        " UNION ALL SELECT error_name, 0, data_row FROM source_sql_stream_errors"
        " UNION ALL SELECT error_name, 0, data_row FROM temp_stream_errors"
    )
    everything = rows_of(table_env, query)
    scored = [row for row in everything if row[0].isdigit()]
    assert {int(number): score for number, score, _ in scored} == expected_scores(good)
    errors = {name: data_row for name, _, data_row in everything if not name.isdigit()}
    assert sorted(errors) == ["COERCION", "INVALID_JSON", "NOT_SCORED"]
    assert len(everything) == len(scored) + 3
    assert bytes.fromhex(errors["INVALID_JSON"]) == b"{"
    assert set(json.loads(scored[-1][2])) == {"price", "quantity"}
