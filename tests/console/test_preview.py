"""A draft on a real console: planned by Flink, previewed on the live stream, and nothing of it is left."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from base.aws import Aws
from infra import local
from infra.paths import ROOT
from tests.readers import on_stream
from tests.waiting import until

pytestmark = [pytest.mark.aws, pytest.mark.flink]

SQL = """\
CREATE OR REPLACE STREAM "CHEAP" ("TICKER_SYMBOL" VARCHAR(4), "PRICE" DOUBLE);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "CHEAP"
SELECT STREAM "TICKER_SYMBOL", "PRICE" FROM "SOURCE_SQL_STREAM_001" WHERE "PRICE" < 150;
"""
OUTPUT = '"Outputs": [{"Name": "CHEAP", "KinesisStreamsOutput": {"ResourceARN": "cheap"}}]'
YAML = """\
title: T
sources:
  ticks: {{stream: ticks, columns: {{symbol: VARCHAR(8), price: DOUBLE}}}}
relations:
  - means
destinations:
  - {{of: means, type: {sink}}}
"""
MEANS = """\
SELECT symbol, AVG(price) AS mean, window_time AS rowtime
FROM TABLE(TUMBLE(TABLE ticks, DESCRIPTOR(rowtime), INTERVAL '10' SECOND))
GROUP BY symbol, window_start, window_end, window_time
"""
#: Far above what is needed on a quiet machine.
PATIENCE = 300.0


@dataclass
class Console:
    """A running `kda console`."""

    http: httpx.Client
    endpoint: str
    state: Path

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(f"/api/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.http.get(f"/api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("preview")
    with local.running_local_aws(folder / "aws") as aws:
        command = [sys.executable, "-m", "cli.main", "console", "--port", "0"]
        command += ["--endpoint", str(aws.endpoint)]
        environment = os.environ | {"KDA_STATE": str(folder)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert process.stdout
        url = re.search(r"http://\S+(?=/)", process.stdout.readline())
        assert url
        try:
            with httpx.Client(base_url=url[0], headers={"origin": url[0]}, timeout=PATIENCE) as http:
                yield Console(http, str(aws.endpoint), folder)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def errors_of_flinks_sql_have_their_place(console: Console) -> None:
    console.post("applications", name="means", **{"from": {"kind": "copy", "application": "ctr"}})

    def plan(means: str, sink: str = "none") -> Any:
        files = {"application.yaml": YAML.format(sink=sink), "means.sql": means}
        return console.post("applications/means/plan", files=files)

    found = plan(MEANS)
    assert found["problems"] == []
    (means,) = [r for r in found["relations"] if r["name"] == "means"]
    assert [(c["name"], c["type"]) for c in means["columns"]][:2] == [
        ("symbol", "VARCHAR(8)"),
        ("mean", "DOUBLE"),
    ]
    (problem,) = plan(MEANS.replace("AVG(price)", "AVG(prise)"))["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("means.sql", 1, 20)
    assert "nearest is price" in problem["message"]
    updating = "SELECT symbol, COUNT(*) AS n FROM ticks GROUP BY symbol"
    (problem,) = plan(updating, "kinesis, stream: out")["problems"]
    assert "aggregate in a window" in problem["message"]


def test_a_draft_is_planned_and_previewed_and_leaves_nothing(console: Console) -> None:
    errors_of_flinks_sql_have_their_place(console)
    for stream in ("kinesis-analytics-demo-stream", "cheap"):
        console.post("streams", name=stream, template=None if stream == "cheap" else "stock-ticker", rate=20)
    found = console.post("discover", stream="kinesis-analytics-demo-stream")
    origin = {"kind": "sql", "sql": SQL, "stream": "kinesis-analytics-demo-stream", "schema": found["schema"]}
    console.post("applications", name="cheap_ones", **{"from": origin})
    files = console.get("applications/cheap_ones/document")["files"]
    files["application.json"] = files["application.json"].replace('"Outputs": []', OUTPUT)

    planned = console.post("applications/cheap_ones/plan", files=files)
    assert planned["problems"] == []
    assert planned["state"]["summary"] == "There is no saved state yet."
    # The process that planned it goes on as the preview's job.
    console.post("applications/cheap_ones/preview/start", files=files)

    def rows(relation: str) -> list[dict[str, Any]]:
        return list(console.get(f"applications/cheap_ones/rows?preview=1&relation={relation}")["rows"])

    until(lambda: rows("CHEAP"), "a row of the preview", PATIENCE)
    assert all(row["values"]["PRICE"] < 150 for row in rows("CHEAP"))
    assert set(rows("SOURCE_SQL_STREAM_001")[0]["values"]) == {"TICKER_SYMBOL", "SECTOR", "CHANGE", "PRICE"}
    log = console.get("applications/cheap_ones/log?preview=1")
    assert "cheap_ones_preview: started" in "\n".join(log["lines"])

    console.post("applications/cheap_ones/preview/stop")
    assert console.http.get("/api/applications/cheap_ones/rows?preview=1").status_code == 404
    kinesis = Aws.local(console.endpoint).client("kinesis")
    assert kinesis.list_streams()["StreamNames"] == ["cheap", "kinesis-analytics-demo-stream"]
    assert on_stream(kinesis, "cheap") == []
    assert [str(path) for path in console.state.rglob("*cheap_ones_preview*")] == []
    document = console.get("applications/cheap_ones/document")
    assert (document["saved"], document["running_version"]) == (None, None)
