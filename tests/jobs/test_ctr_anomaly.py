"""Lab 1's real SQL over records from memory: rows in, rows out."""

import json
from typing import Any

import pytest

from jobs.ctr_anomaly.job import Settings, relations
from tests.jobs.conftest import Flink, MemorySource, rows_of

pytestmark = pytest.mark.flink

SITE = "yourwebsiteurl.domain.com"
Rows = list[tuple[float, bytes]]


def action(name: str, site: str | None = SITE) -> bytes:
    return json.dumps({"browseraction": name, "site": site}).encode()


def window(number: int, clicks: int, impressions: int, site: str = SITE) -> Rows:
    """Records of one 10-second window, from its first millisecond to its last."""
    actions = [action("Click", site)] * clicks + [action("Impression", site)] * impressions
    last = max(1, len(actions) - 1)
    return [(number * 10 + 9.999 * i / last, data) for i, data in enumerate(actions)]


def compose(mini_flink: Flink, rows: Rows, **groups: dict[str, Any]) -> Any:
    """The job's relations, without its sinks."""
    table_env = mini_flink.environment()
    pipeline = mini_flink.pipeline("ctr", table_env)
    pipeline.source("source_sql_stream", MemorySource(rows))
    relations(pipeline, Settings.model_validate(groups))
    return table_env


def ctr(table_env: Any) -> dict[int, float]:
    """Rate by window number."""
    query = (
        "SELECT TIMESTAMPDIFF(SECOND, TIMESTAMP '2024-01-31 12:00:00', window_start) / 10, ctr FROM ctrstream"
    )
    return dict(rows_of(table_env, query))


def errors(table_env: Any, name: str = "late_actions_errors") -> list[tuple[Any, ...]]:
    return rows_of(
        table_env, f"SELECT error_name, message, CAST(data_rowtime AS STRING), data_row FROM {name}"
    )


def test_counts_by_window(mini_flink: Flink) -> None:
    rows = [
        *window(0, 3, 4),
        (5.0, action("DiscoveryKinesisTest")),
        (10.0, action("Click")),
        (19.999, action("Impression")),
    ]
    table_env = compose(mini_flink, rows)
    counts = "SELECT CAST(window_start AS STRING), CAST(window_end AS STRING), site, {} FROM {}"
    first, second = (
        ("2024-01-31 12:00:00.000", "2024-01-31 12:00:10.000"),
        ("2024-01-31 12:00:10.000", "2024-01-31 12:00:20.000"),
    )
    assert rows_of(table_env, counts.format("clickcount", "clickstream")) == [
        (*first, SITE, 3.0),
        (*second, SITE, 1.0),
    ]
    assert rows_of(table_env, counts.format("impressioncount", "impressionstream")) == [
        (*first, SITE, 4.0),
        (*second, SITE, 1.0),
    ]
    assert rows_of(table_env, counts.format("ctr", "ctrstream")) == [
        (*first, SITE, 75.0),
        (*second, SITE, 100.0),
    ]
