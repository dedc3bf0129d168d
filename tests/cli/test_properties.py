"""`kda properties`, and the documentation's tables, which must be what the code says."""

import pytest
import typer
from typer.testing import CliRunner

from cli import properties
from jobs.catalog import JOBS

app = typer.Typer()
app.command()(properties.properties)


def test_the_documentation_has_the_tables_of_the_code() -> None:
    text = properties.DOCUMENT.read_text()
    assert properties.documented(text) == text, "run `kda properties --docs`"


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.short)
def test_every_property_is_explained(job: object) -> None:
    found = list(properties.properties_of(job))
    assert [p.group + "." + p.key for p in found if not p.notes] == []
    assert [p.group + "." + p.key for p in found if p.mandatory and not p.example] == []
    assert len({(p.group, p.key) for p in found}) == len(found)


def test_a_property_s_row() -> None:
    rows = {(p.group, p.key): p for p in properties.properties_of(JOBS[0])}
    assert rows["job", "name"].row == ("job", "name", "Y", "trade_anomalies", "which job the package runs")
    assert rows["random_cut_forest", "columns"].mandatory
    assert rows["random_cut_forest", "columns"].example == "price, quantity"
    timeout = rows["source", "idle_timeout"]
    assert (timeout.mandatory, timeout.example) == (False, "15")
    assert timeout.notes.endswith("more than 10")
    assert "one of firehose, s3" in rows["sink", "type"].notes


def test_a_document_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="must have one line"):
        properties.documented("# Deploy\n")


def test_the_command() -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["ctr"])
    assert shown.exit_code == 0
    # As `-p` takes it, with what `kda run` runs with, which may be another than the code's default.
    assert "\nanomalies.least_change=25\n    percent" in shown.output
    assert "\nrandom_cut_forest.sub_sample_size=12\n    windows" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2
