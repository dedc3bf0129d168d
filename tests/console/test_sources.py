"""Streams, samples and destinations through the page's interface, on a local AWS that is empty at first."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from base.aws import Aws
from infra import local
from tests.console.bench import Ask, asked, bench
from tests.functions import deploy
from tests.waiting import until

pytestmark = pytest.mark.aws

CODE = """
import base64
def handler(event, context):
    made = []
    for r in event["records"]:
        text = base64.b64decode(r["data"]).decode()
        result = "ProcessingFailed" if "QXZ" in text else "Dropped" if "DFT" in text else "Ok"
        data = base64.b64encode(text.replace("PRICE", "COST").encode()).decode()
        made.append({"recordId": r["recordId"], "result": result, "data": data})
    return {"records": made}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with local.running_local_aws(tmp_path_factory.mktemp("sources")) as aws:
        yield aws


@pytest.fixture
def ask(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    folder = tmp_path_factory.mktemp("bench")
    return asked(bench(folder, client=aws.client))


def discovered(ask: Ask, **given: Any) -> dict[str, Any]:
    answer = ask("POST", "/api/discover", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_demo_stream_is_made_filled_and_discovered(ask: Ask, aws: Aws) -> None:
    assert ask("GET", "/api/streams").json() == []
    made = ask("POST", "/api/streams", json={"rate": 200}).json()
    assert made == {"name": "kinesis-analytics-demo-stream", "new": True}
    found = discovered(ask, stream=made["name"])
    assert [c["Name"] for c in found["schema"]["RecordColumns"]] == [
        "TICKER_SYMBOL",
        "SECTOR",
        "CHANGE",
        "PRICE",
    ]
    assert len(found["raw"]) == 100
    assert found["formatted"][0]["SECTOR"] in ("TECHNOLOGY", "RETAIL", "FINANCIAL", "ENERGY")
    assert found["errors"] == []
    # The effect of a wrong type shows at once, without reading the stream again.
    found["schema"]["RecordColumns"][1]["SqlType"] = "INTEGER"
    again = ask("POST", "/api/decode", json={"sample": found["sample"], "schema": found["schema"]}).json()
    assert again["formatted"] == []
    assert "column SECTOR INT" in again["errors"][0]["message"]
    assert "SECTOR" in again["errors"][0]["record"]
    assert ask("POST", "/api/decode", json={"sample": "none", "schema": found["schema"]}).status_code == 422

    deploy(aws, "fix", CODE)
    found = discovered(ask, stream=made["name"], preprocess="fix")
    assert [c["Name"] for c in found["schema"]["RecordColumns"]][-1] == "COST"
    assert {e["name"] for e in found["errors"]} == {"ProcessingFailed"}
    assert not [row for row in found["formatted"] if row["TICKER_SYMBOL"] in ("QXZ", "DFT")]

    stop = f"/api/streams/{made['name']}/stop"
    assert ask("POST", stop).status_code == 200
    (stream,) = ask("GET", "/api/streams").json()
    assert (stream["shards"], stream["senders"][0]["template"]) == (1, "stock-ticker")
    assert not stream["senders"][0]["running"]
    assert ask("GET", "/api/targets").json()["lambda"] == ["fix"]


def test_senders_of_other_templates_and_invalid_ones(ask: Ask) -> None:
    assert ask("POST", "/api/streams", json={"name": "clicks", "template": None}).status_code == 201
    for template in ("../../pyproject.toml", "/etc/passwd", "", 7):
        answer = ask("POST", "/api/streams/clicks/send", json={"template": template, "rate": 5})
        assert answer.status_code == 400
    assert ask("POST", "/api/streams/clicks/send", json={"template": "click", "rate": 1e9}).status_code == 400
    assert ask("POST", "/api/streams/clicks/send", json={"template": "click", "rate": 50}).status_code == 200

    def sent() -> bool:
        (stream,) = [s for s in ask("GET", "/api/streams").json() if s["name"] == "clicks"]
        return stream["senders"][0]["sent"] > 5

    until(sent, "some clicks")
    ask("POST", "/api/streams/clicks/stop", json={"template": "click"})
    (click,) = [g for g in ask("GET", "/api/generators").json() if g["name"] == "click"]
    assert json.loads(click["example"])["browseraction"] == "Click"


def test_streams_without_records_or_without_a_schema_say_so(ask: Ask, aws: Aws) -> None:
    answer = ask("POST", "/api/discover", json={"stream": "none-such"})
    assert (answer.status_code, "none-such" in answer.json()["error"]) == (422, True)
    kinesis = aws.client("kinesis")
    ask("POST", "/api/streams", json={"name": "odd", "template": None})
    kinesis.put_record(StreamName="odd", Data=b"neither this <b>\xff", PartitionKey="x")
    found = discovered(ask, stream="odd")
    assert found["schema"] is None
    assert found["problem"]
    assert found["raw"] == ["neither this <b>\\xff"]


def test_what_a_delivery_stream_landed_is_discovered(ask: Ask, aws: Aws) -> None:
    s3, firehose = aws.client("s3"), aws.client("firehose")
    s3.create_bucket(Bucket="lake")
    firehose.create_delivery_stream(
        DeliveryStreamName="landing",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::lake",
            "RoleARN": "arn:aws:iam::000000000000:role/any",
            "Prefix": "in/!{timestamp:yyyy}/",
        },
    )
    assert ask("POST", "/api/discover", json={"stream": "landing", "kind": "firehose"}).status_code == 422
    s3.put_object(Bucket="lake", Key="in/2024/a", Body=b'{"a": 1}\n{"a": 2}\n')
    found = discovered(ask, stream="landing", kind="firehose")
    assert (found["path"], found["formatted"]) == ("s3://lake/in/", [{"a": 1.0}, {"a": 2.0}])
    assert {"name": "landing", "kind": "firehose", "senders": []} in ask("GET", "/api/streams").json()
    # An imported application that reads the delivery stream knows where its objects are.
    described = {
        "ApplicationName": "lands",
        "ApplicationCode": "CREATE STREAM X (A INTEGER);",
        "Inputs": [
            {
                "NamePrefix": "SOURCE_SQL_STREAM",
                "KinesisFirehoseInput": {
                    "ResourceARN": "arn:aws:firehose:us-east-1:1:deliverystream/landing"
                },
                "InputSchema": found["schema"],
            }
        ],
    }
    origin = {"kind": "description", "text": json.dumps(described), "filename": "lands.json"}
    assert ask("POST", "/api/applications", json={"name": "lands", "from": origin}).status_code == 201
    files = ask("GET", "/api/applications/lands/document").json()["files"]
    (source,) = json.loads(files["application.json"])["Inputs"]
    assert source["KinesisFirehoseInput"] == {"ResourceARN": "landing", "Path": "s3://lake/in/"}


def test_a_reference_table_s_file_is_discovered(ask: Ask, aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="tables")
    s3.put_object(Bucket="tables", Key="companies.csv", Body=b"AMZN,Amazon,1994\nWMT,Walmart,1962\n")
    found = discovered(ask, path="s3://tables/companies.csv", kind="s3")
    assert (found["raw"], found["header"]) == (["AMZN,Amazon,1994", "WMT,Walmart,1962"], False)
    assert found["formatted"][0]["COL_0"] == "AMZN"
    for path in ("file:///etc/passwd", "tables/companies.csv", "s3://tables/none.csv"):
        answer = ask("POST", "/api/discover", json={"path": path, "kind": "s3"})
        assert answer.status_code == (422 if path.startswith("s3") else 400)
    assert ask("POST", "/api/discover", json={"stream": "x", "kind": "file"}).status_code == 400


def test_destinations_are_tried_before_they_are_used(ask: Ask) -> None:
    def tried(type_: str, name: str, **options: Any) -> dict[str, Any]:
        asked_for = {"type": type_, "name": name, "options": options}
        return ask("POST", "/api/destinations/test", json=asked_for).json()

    assert tried("kinesis", "clicks") == {"ok": True, "message": "it exists and is active, 1 shards"}
    assert tried("lambda", "fix")["ok"]
    assert tried("s3", "s3://lake/out/")["ok"]
    for type_, name in (
        ("kinesis", "none"), ("firehose", "none"), ("lambda", "none"), ("dynamodb", "none"),
        ("s3", "s3://none-such/"), ("s3", "file:///etc/passwd"), ("http", "x"),
    ):  # fmt: skip
        found = tried(type_, name)
        assert (found["ok"], bool(found["message"])) == (False, True)
