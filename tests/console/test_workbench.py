"""The workbench's interface: applications are created, changed, checked and saved; invalid ones are refused."""

import json
import os
from pathlib import Path

import pytest

from console.controller import Controller
from console.workbench import Workbench
from pipeline.catalog import JOBS, read
from tests.console.bench import Ask, Idle, asked, bench, unreachable
from tests.console.made import SCHEMA, SQL, made, saved
from workbench.store import Store


@pytest.fixture
def workbench(tmp_path: Path) -> Workbench:
    return bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())})


@pytest.fixture
def ask(workbench: Workbench) -> Ask:
    return asked(workbench)


def test_from_sql_to_a_folder_that_every_command_finds(
    ask: Ask, workbench: Workbench, tmp_path: Path
) -> None:
    document = made(ask)
    assert (document["form"], document["draft"], document["saved"]) == ("kda", True, None)
    assert ask("POST", "/api/applications/mine/job/start").status_code == 409
    answer = saved(ask, document, note="first")
    assert (answer.status_code, answer.json()["number"]) == (200, 1)
    application = read(tmp_path / "applications" / "mine")
    assert (application.name, application.title) == ("mine", "Mine")
    assert application.sources["SOURCE_SQL_STREAM_001"].stream == "ticks"
    (described,) = [a for a in ask("GET", "/api/applications").json() if a["name"] == "mine"]
    assert (described["origin"], described["form"], described["draft"]) == ("own", "kda", False)
    assert "OUT" in [node["relation"] for stage in described["flow"]["stages"] for node in stage]
    # A job started from it reads the folder that the link points to; each version has a folder of its own.
    first = (tmp_path / "applications" / "mine").resolve()
    again = ask("GET", "/api/applications/mine/document").json()
    again["files"]["kda.sql"] = SQL.replace("10", "20")
    assert saved(ask, again).json()["number"] == 2
    assert (tmp_path / "applications" / "mine").resolve() != first
    assert (
        "10" in (first / "OUT_windows.sql").read_text()
        if (first / "OUT_windows.sql").exists()
        else first.exists()
    )
    assert ask("GET", "/api/applications/mine/versions/1").json()["files"]["kda.sql"] == SQL
    assert [v["number"] for v in ask("GET", "/api/applications/mine/document").json()["versions"]] == [2, 1]
    assert ask("GET", "/api/applications/mine/versions/3").status_code == 409


def test_two_tabs_and_two_consoles(ask: Ask, workbench: Workbench, tmp_path: Path) -> None:
    document = made(ask)
    path, files = "/api/applications/mine/draft", document["files"]
    first = ask("PUT", path, json={"files": files | {"kda.sql": "-- a"}, "revision": document["revision"]})
    second = ask("PUT", path, json={"files": files | {"kda.sql": "-- b"}, "revision": document["revision"]})
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["revision"] == first.json()["revision"]
    other = asked(bench(tmp_path))
    assert other("GET", "/api/applications/mine/document").json()["files"]["kda.sql"] == "-- a"
    answer = other(
        "PUT", path, json={"files": files | {"kda.sql": "-- c"}, "revision": first.json()["revision"]}
    )
    assert answer.status_code == 200
    assert saved(ask, document).status_code == 409
    assert other("DELETE", "/api/applications/mine").status_code == 200
    assert "mine" not in [a["name"] for a in ask("GET", "/api/applications").json()]
    assert ask("GET", "/api/applications/mine/document").status_code == 404


def test_every_error_has_its_place_and_nothing_of_it_is_saved(ask: Ask, tmp_path: Path) -> None:
    document = made(ask)
    document["files"]["kda.sql"] = SQL.replace('STREAM "TICKER"', 'STREAM "TICKR"').replace(
        'OUT"\nS', 'OUTT"\nS'
    )
    found = ask("POST", "/api/applications/mine/check", json=document).json()["problems"]
    assert [
        (p["file"], p["line"], p["column"], p["end_column"]) for p in found if p["severity"] == "error"
    ] == [("kda.sql", 2, 43, 49)]
    answer = saved(ask, document)
    assert answer.status_code == 422
    assert answer.json()["problems"] == found
    assert not (tmp_path / "applications" / "mine").exists()
    document["files"] |= {"kda.sql": SQL, "application.json": '{"Inputs": [}'}
    (problem,) = ask("POST", "/api/applications/mine/check", json=document).json()["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("application.json", 1, 13)


def test_a_pump_that_cannot_be_translated_is_an_error_or_left_out_on_purpose(
    ask: Ask, tmp_path: Path
) -> None:
    document = made(ask)
    more = """CREATE STREAM "MORE" ("N" INTEGER); CREATE PUMP "Q" AS INSERT INTO "MORE"
SELECT STREAM GROUP_RANK("N") FROM "OUT";"""
    document["files"]["kda.sql"] = SQL + more
    found = ask("POST", "/api/applications/mine/check", json=document).json()
    (problem,) = [p for p in found["problems"] if p["severity"] == "error"]
    assert (problem["line"], found["left_out"]) == (6, ["Q"])
    assert {s["name"]: s["verdict"] for s in found["statements"]}["Q"] == "not translated"
    assert saved(ask, document).status_code == 422
    assert saved(ask, document, leave_out=True).status_code == 200
    assert "MORE" not in [r.name for r in read(tmp_path / "applications" / "mine").relations]
    document["files"]["kda.sql"] = SQL + "CREATE"
    document["revision"] = ask("GET", "/api/applications/mine/document").json()["revision"]
    assert saved(ask, document, leave_out=True).status_code == 422


def test_a_save_that_is_killed_midway_leaves_what_was(tmp_path: Path, ask: Ask) -> None:
    document = made(ask)
    assert saved(ask, document).status_code == 200
    store = Store(tmp_path / "workbench", tmp_path / "applications")

    def killed(folder: Path) -> None:
        (folder / "application.yaml").write_text("title: ha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.save("mine", {"kda.sql": "x"}, store.draft("mine").revision, "", killed)
    # A killed process leaves files under names that are never read.
    (tmp_path / "workbench" / "mine" / "versions" / ".new-x").mkdir()
    (tmp_path / "workbench" / ".new-y" / "versions").mkdir(parents=True)
    (tmp_path / "applications" / "mine").unlink()
    assert store.newest("mine").number == 1  # type: ignore[union-attr]
    assert read(store.running_folder("mine")).title == "Mine"  # type: ignore[arg-type]
    assert store.names() == ["mine"]
    # After an hour no process can still be writing them.
    for left in (tmp_path / "workbench" / "mine" / "versions" / ".new-x", tmp_path / "workbench" / ".new-y"):
        os.utime(left, (0, 0))
    Store(tmp_path / "workbench", tmp_path / "applications")
    assert not [*(tmp_path / "workbench").rglob(".new-*")]


def test_a_copy_of_an_example_shares_no_stream_with_it(ask: Ask, tmp_path: Path) -> None:
    document = made(ask, "my_ctr", {"kind": "copy", "application": "ctr"})
    assert (document["form"], "stack.yaml" in document["files"]) == ("flink", False)
    assert saved(ask, document).status_code == 200
    application = read(tmp_path / "applications" / "my_ctr")
    assert (application.tap_stream, application.error_stream) == ("my_ctr-taps", "my_ctr-errors")
    assert ask("DELETE", "/api/applications/ctr").status_code == 409
    assert (
        ask(
            "PUT", "/api/applications/ctr/draft", json={"files": document["files"], "revision": 0}
        ).status_code
        == 409
    )


def test_a_description_is_imported_with_all_its_parts(ask: Ask) -> None:
    described = {
        "ApplicationDetail": {
            "ApplicationName": "old",
            "ApplicationCode": SQL,
            "InputDescriptions": [
                {
                    "NamePrefix": "SOURCE_SQL_STREAM",
                    "KinesisStreamsInputDescription": {
                        "ResourceARN": "arn:aws:kinesis:us-east-1:1:stream/ticks"
                    },
                    "InputSchema": SCHEMA,
                    "InputProcessingConfigurationDescription": {
                        "InputLambdaProcessorDescription": {
                            "ResourceARN": "arn:aws:lambda:us-east-1:1:function:fix"
                        }
                    },
                }
            ],
            "OutputDescriptions": [
                {
                    "Name": "OUT",
                    "LambdaOutputDescription": {"ResourceARN": "arn:aws:lambda:us-east-1:1:function:alert"},
                    "DestinationSchema": {"RecordFormatType": "CSV"},
                }
            ],
        }
    }
    origin = {"kind": "description", "text": json.dumps(described), "filename": "old.json"}
    document = made(ask, "old", origin)
    tree = json.loads(document["files"]["application.json"])
    tree["Outputs"].append({"Name": "OUT", "S3Output": {"Path": "s3://lake/out/"}})
    tree["Outputs"].append({"Name": "OUT", "DynamoDBOutput": {"TableName": "outs"}, "Key": "TICKER"})
    tree["Senders"] = [{"label": "T", "text": '{"t": "A"}', "rate": 5}]
    document["files"]["application.json"] = json.dumps(tree)
    assert saved(ask, document).status_code == 200
    (flow,) = [a["flow"] for a in ask("GET", "/api/applications").json() if a["name"] == "old"]
    assert [node["label"] for node in flow["stages"][-1]] == ["alert", "s3://lake/out/", "outs"]


def test_an_application_that_can_no_longer_be_read_spoils_nothing_else(ask: Ask, tmp_path: Path) -> None:
    assert saved(ask, made(ask)).status_code == 200
    (tmp_path / "applications" / "mine" / "application.yaml").write_text("title: [")
    again = asked(bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())}))
    problems = {a["name"]: a["problem"] for a in again("GET", "/api/applications").json()}
    assert problems["ctr"] == ""
    assert "not valid YAML" in problems["mine"]
    assert again("POST", "/api/applications/mine/job/start").status_code == 409
    assert saved(again, again("GET", "/api/applications/mine/document").json()).status_code == 200
    assert again("GET", "/api/applications").json()[-1]["problem"] == ""


def test_a_delivery_stream_is_read_where_it_lands(ask: Ask, tmp_path: Path) -> None:
    document = made(ask)
    tree = json.loads(document["files"]["application.json"])
    del tree["Inputs"][0]["KinesisStreamsInput"]
    tree["Inputs"][0]["KinesisFirehoseInput"] = {"ResourceARN": "landing"}
    document["files"]["application.json"] = json.dumps(tree)
    (problem,) = saved(ask, document).json()["problems"]
    assert "required Path" in problem["message"]
    tree["Inputs"][0]["KinesisFirehoseInput"]["Path"] = "s3://lake/in/"
    document["files"]["application.json"] = json.dumps(tree)
    assert saved(ask, document).status_code == 200
    source = read(tmp_path / "applications" / "mine").sources["SOURCE_SQL_STREAM_001"]
    assert (source.type, source.path) == ("firehose", "s3://lake/in/")
