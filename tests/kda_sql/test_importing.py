"""Applications as AWS describes them: both APIs, templates, Terraform files, a file of SQL."""

import json
from pathlib import Path

import pytest

from kda_sql.description import DescriptionError, Output
from kda_sql.importing import read, read_schema, source_names
from kda_sql.translate import translate, write
from pipeline.application import read as read_application
from tests.kda_sql.descriptions import SQL, TERRAFORM, description, template


@pytest.mark.parametrize("kind", ["describe", "template", "template.json", "terraform"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_description_gives_the_same_application(kind: str, version: int, tmp_path: Path) -> None:
    if kind == "describe":
        path = tmp_path / "app.json"
        path.write_text(json.dumps(description(version)))
    elif kind == "template":
        path = tmp_path / "stack.yaml"
        path.write_text(template(version))
    elif kind == "template.json":
        from kda_sql.cloudformation import parsed

        path = tmp_path / "stack.json"
        path.write_text(json.dumps(parsed(template(version), "")))
    else:
        path = tmp_path / "main.tf"
        (tmp_path / "high.sql").write_text(SQL)
        path.write_text(TERRAFORM[version].replace("SQL_TEXT", SQL.replace("\n", "\n          ")))
    [found] = read(path)
    assert found.name == "high_ticks"
    assert [line.strip() for line in found.sql.strip().splitlines()] == SQL.splitlines()
    [source] = found.inputs
    assert source.names == ("TICKS_001", "TICKS_002")
    assert (source.stream, source.firehose, source.preprocess) == ("ticks", False, "unzip")
    assert source.schema.row_path == "$.rows[0:]"
    assert [(c.name, str(c.type), c.mapping) for c in source.schema.columns] == [
        ("TICKER", "VARCHAR(4)", "$.ticker")
    ]
    assert found.outputs == (Output("HIGH", "lambda", "alert:live" if kind == "describe" else "alert"),)
    [reference] = found.references
    assert (reference.name, reference.path, reference.schema.row_delimiter) == (
        "Companies",
        "s3://lists/c.csv",
        "\n",
    )
    write(translate(found), tmp_path / "out")
    application = read_application(tmp_path / "out")
    assert set(application.sources) == {"TICKS"}
    assert {"TICKS_001", "TICKS_002"} <= set(application.shown)
    text = (tmp_path / "out" / "application.yaml").read_text()
    assert "123456789012" not in text
    assert "role" not in text


def test_a_file_of_sql_needs_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "count.sql"
    path.write_text('CREATE STREAM a (n VARCHAR(4)); CREATE PUMP p AS INSERT INTO a SELECT "n" FROM "x_001"')
    with pytest.raises(DescriptionError, match="--schema"):
        read(path)
    schema = tmp_path / "schema.json"
    columns = [{"Name": "n", "SqlType": "VARCHAR(4)", "Mapping": "$.n"}]
    for tree in ({"RecordColumns": columns}, {"InputSchema": {"RecordColumns": columns}}):
        schema.write_text(json.dumps(tree))
        [found] = read(path, read_schema(schema), "ticks")
        assert found.inputs[0].names == ("x_001",)
        assert found.file == "count.sql"
        translate(found)


def test_comments_and_texts_name_no_source() -> None:
    assert source_names('SELECT \'a_001\' FROM "b_001" -- "c_001"') == ["b_001"]
    assert source_names("SELECT x FROM nothing") == ["SOURCE_SQL_STREAM_001"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "not valid YAML"),
        ("a.json", '{"ApplicationDetail": {"ApplicationCode": ""}}', "required a template with Resources"),
        ("a.yaml", "Resources: {A: {Type: 'AWS::S3::Bucket'}}", "got none"),
        ("a.tf", "resource {{", "not valid HCL"),
        ("a.tf", 'resource "aws_s3_bucket" "b" { bucket = "x" }', "got none"),
        ("a.txt", "", "required .sql"),
        (
            "a.json",
            json.dumps(
                {"ApplicationDetail": {"ApplicationCode": SQL, "InputDescriptions": [{"InputSchema": {}}]}}
            ),
            "RecordColumns",
        ),
    ],
)
def test_what_can_not_be_read_is_reported(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DescriptionError, match=said):
        read(tmp_path / name)


def test_terraform_reads_no_file_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.sql").write_text("x")
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(TERRAFORM[1].replace("high.sql", "../secret.sql"))
    with pytest.raises(DescriptionError, match="beside"):
        read(folder / "main.tf")
