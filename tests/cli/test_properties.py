"""`kda properties`, and the documentation's tables, which must be what the models say."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import properties
from pipeline.application import Application
from pipeline.catalog import all_applications, find
from pipeline.property_list import properties_of
from tests.fleet import fleet

app = typer.Typer()
app.command()(properties.properties)


def test_the_documentation_has_the_tables_of_the_code() -> None:
    text = properties.DOCUMENT.read_text()
    assert properties.documented(text) == text, "run `kda properties --docs`"
    assert "- `random_cut_forest.sub_sample_size` (ctr `12`, trades `256`): records" in text
    assert "`sessions.gap`" not in text, "a lab's own are in the lab's description"
    # Each once, though a lab has two destinations of the same keys.
    assert "`sink.type`" in text
    assert "`closed." not in text


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_every_property_is_explained(application: Application) -> None:
    found = list(properties_of(application))
    assert [p.group + "." + p.key for p in found if not p.notes] == []
    assert len({(p.group, p.key) for p in found}) == len(found)


def test_a_property_s_row() -> None:
    rows = {(p.group, p.key): p for p in properties_of(find("trades"))}
    assert rows["job", "name"].default == "trades"
    assert rows["random_cut_forest", "columns"].default == "price, quantity"
    timeout = rows["source", "idle_timeout"]
    assert timeout.default == "15"
    assert timeout.notes.endswith("more than 10")
    assert "one of firehose, kinesis" in rows["sink", "type"].notes


def test_a_document_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="must have one line"):
        properties.documented("# Deploy\n")


def test_the_command() -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["ctr"])
    assert shown.exit_code == 0
    # As `-p` takes it, with what `kda run` runs with, which may be another than the engine's default.
    assert "\ndetector.ignore_within_percent=25\n    nor" in shown.output
    assert "\nrandom_cut_forest.sub_sample_size=12\n    records" in shown.output
    notes = [line for line in shown.output.splitlines() if line.startswith("    ")]
    assert max(map(len, notes)) <= 80
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2


def test_an_application_that_is_no_lab(tmp_path: Path) -> None:
    application = fleet(tmp_path)
    path = application.folder / "application.yaml"
    path.write_text(path.read_text().replace("default: 90.0, ", "minimum: 0, type: number, "))
    shown = CliRunner().invoke(app, [str(application.folder)])
    assert shown.exit_code == 0
    assert "\nalerts.limit=\n    degrees" in shown.output, "without a default it has to be given"
    assert "\nsource.stream=fleet-telemetry\n" in shown.output
    assert "\ndoors.path=s3://fleet-landing/doors/\n" in shown.output
    assert "\nnewest.table=fleet-newest\n" in shown.output
    path.write_text(path.read_text().replace("fleet-telemetry", "7\n    stream: 8"))
    wrong = CliRunner().invoke(app, [str(application.folder)])
    assert wrong.exit_code == 2
    assert "Traceback" not in wrong.output
