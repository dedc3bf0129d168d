"""Lab 3's real SQL over records from memory: rows in, rows out."""

import json
import random
from typing import Any

import pytest

from jobs.pipeline import forest_options
from jobs.trade_anomalies.job import Settings
from tests.jobs.conftest import Flink, MemorySource, rows_of

pytestmark = pytest.mark.flink


def trade(id: int, price: float, quantity: int) -> bytes:
    return json.dumps({"tickerSymbol": "AMZN", "tradeType": "BUY", "price": price, "quantity": quantity, "id": id}).encode()


def compose(mini_flink: Flink, rows: list[tuple[float, bytes]], **forest: Any) -> Any:
    table_env = mini_flink.environment()
    pipeline = mini_flink.pipeline("trades", table_env)
    settings = Settings.model_validate({"random_cut_forest": {"columns": "price, quantity", **forest}})
    pipeline.source("source_sql_stream", MemorySource(rows))
    pipeline.forest("temp_stream", "source_sql_stream", forest_options(settings.random_cut_forest))
    pipeline.view("anomalous_trades", threshold=settings.anomalies.threshold)
    pipeline.view("on_time_trades")
    pipeline.view("destination_sql_stream")
    return table_env


def test_scores_every_trade_and_orders_the_anomalies(mini_flink: Flink) -> None:
    rng = random.Random(1)
    ordinary = [(i * 0.01, trade(i, rng.gauss(100, 3), rng.randint(40, 60))) for i in range(300)]
    # Two anomalies in one second, the smaller first; one on the next second's very first millisecond.
    outliers = [(4.1, trade(901, 300.0, 150)), (4.2, trade(902, 900.0, 900)), (5.0, trade(903, 600.0, 500))]
    table_env = compose(mini_flink, ordinary + outliers, sub_sample_size=64, number_of_trees=50)

    scored = rows_of(table_env, "SELECT id, anomaly_score FROM temp_stream")
    assert [i for i, _ in scored] == [*range(300), 901, 902, 903]
    assert all(score == 0.0 for _, score in scored[:64])
    assert all(0.4 < score < 2.5 for _, score in scored[70:300])

    ids = [row[0] for row in rows_of(table_env, "SELECT id, anomaly_score FROM destination_sql_stream")]
    assert ids[-3:] == [902, 901, 903]
