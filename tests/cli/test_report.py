"""The report: one file with everything in it, hostile texts as texts, read back as it was written."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import report
from console.charts import PLOTLY

HOSTILE = "</script><img src=x onerror=alert(1)>{{ plotly }}"
DATA = report.Report(
    "trades",
    {
        "temp_stream": [
            {"id": n, "price": 100.0 + n, "quantity": 50, "anomaly_score": 0.8} for n in range(5)
        ],
        "destination_sql_stream": [
            {"id": 3, "price": 900.0, "quantity": 500, "anomaly_score": 3.0, "ticker_symbol": HOSTILE}
        ],
        "error_stream": [{"error_name": "INVALID_JSON", "message": HOSTILE, "record": HOSTILE}],
    },
    figures={"records sent": "3,000"},
    expectations={"all found": False, "none lost": True},
    injected=[3, 4],
    found=[3, 9],
    began=datetime(2024, 1, 31, 12, tzinfo=UTC),
)


def test_one_file_needs_nothing_beside_it(tmp_path: Path) -> None:
    text = report.write(tmp_path / "deep" / "report.html", DATA).read_text()
    own = text.replace(PLOTLY.read_text(), "")
    assert len(text) - len(own) > 1_000_000
    assert not re.findall(r'(?:src|href)="(?!data:)', own)
    assert "http" not in re.sub(r'http-equiv="', "", own)
    assert "default-src 'none'" in own


def test_what_records_hold_is_text(tmp_path: Path) -> None:
    text = report.page(DATA)
    assert "<img" not in text.replace(PLOTLY.read_text(), "")
    # The message and the record; and in the chart's data, as JSON.
    assert text.count("&lt;/script&gt;&lt;img") == 2
    assert text.count(r"\u0026lt;/script\u0026gt;\u0026lt;img") == 1
    # Nothing of a record is taken for a place in the page.
    assert text.count(PLOTLY.read_text()) == 1


def test_found_against_injected() -> None:
    text = report.page(DATA)
    for shown in (
        "<dt>recall</dt><dd>0.500",
        "<dt>precision</dt><dd>0.500",
        "<dt>missed</dt><dd>4<",
        "not injected</dt><dd>9<",
    ):
        assert shown in text
    assert '<dt>all found</dt><dd class="no">NO</dd>' in text
    assert "<dt>none lost</dt><dd>yes</dd>" in text
    assert "recall" not in report.page(report.Report("trades", {}))


def test_counts_are_of_all_rows_not_of_those_that_are_kept() -> None:
    rows = {"temp_stream": [{"id": 1}] * 3, "source_sql_stream": [{"id": 1}]}
    text = report.page(report.Report("trades", rows, totals={"temp_stream": 14_540.0}))
    assert "<dt>temp_stream</dt><dd>about 14,540 rows, 3 of them here</dd>" in text
    assert "<dt>source_sql_stream</dt><dd>1 row</dd>" in text


def test_read_gives_what_was_written(tmp_path: Path) -> None:
    report.write(tmp_path / "report.html", DATA)
    assert report.read(tmp_path / "report.json") == DATA


def test_the_last_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "STATE", tmp_path)
    app = typer.Typer()
    app.command()(report.report)
    result = CliRunner().invoke(app, ["trades", "--demo"])
    assert result.exit_code == 1
    assert "kda demo trades" in result.output
    report.write(report.demo_report("trades"), DATA)
    assert CliRunner().invoke(app, ["trades", "--demo"]).exit_code == 0
    assert (tmp_path / "reports" / "trades.html").exists()
