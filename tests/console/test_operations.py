"""Properties, log and bundle through the page's interface."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from console.controller import Controller
from console.job_view import JobView
from infra.flink_health import Health
from pipeline.catalog import JOBS, read
from pipeline.settings import override
from tests.console.bench import Ask, Idle, asked, bench, unreachable
from workbench.store import Store

PATH = "/api/applications/ctr/properties"


@pytest.fixture
def ctr() -> Controller:
    return Controller(read(JOBS / "ctr"), unreachable, Idle())


@pytest.fixture
def ask(ctr: Controller, tmp_path: Path) -> Ask:
    store = Store(tmp_path / "workbench", tmp_path / "applications")

    def groups(name: str) -> dict[str, dict[str, str]]:
        return override({"window": {"size": "1"}}, [f"{k}={v}" for k, v in store.properties(name).items()])

    return asked(bench(tmp_path, {"ctr": ctr}, groups=groups))


def found(answer: Any, group: str, key: str) -> dict[str, Any]:
    (properties,) = [g["properties"] for g in answer["groups"] if g["name"] == group]
    (one,) = [p for p in properties if p["key"] == key]
    return dict(one)


class Started(Idle):
    """A job that is shown as running, and can still be started."""

    view = JobView(Health("running", url="http://x"))

    def start(self, resume: bool, leave_state: bool = False) -> None:
        pass


def test_properties_are_shown_and_kept_for_the_next_start(ask: Ask, ctr: Controller, tmp_path: Path) -> None:
    shown = ask("GET", PATH).json()
    assert "aws" not in [g["name"] for g in shown["groups"]]
    threshold = found(shown, "anomalies", "threshold")
    assert (threshold["value"], threshold["type"], threshold["minimum"]) == ("2", "number", 0)
    assert "lambda" in found(shown, "sink", "type")["choices"]
    assert found(shown, "window", "by_site")["type"] == "boolean"
    answer = ask("PUT", PATH, json={"assignments": {"anomalies.threshold": "3.5", "source.position": ""}})
    assert found(answer.json(), "anomalies", "threshold") | threshold == threshold
    assert found(ask("GET", PATH).json(), "anomalies", "threshold")["value"] == "3.5"
    assert Store(tmp_path / "workbench", tmp_path).properties("ctr") == {"anomalies.threshold": "3.5"}
    # A starting job is shown with the properties that it was started with.
    ctr.job = Started()
    assert ask("PUT", PATH, json={"assignments": {"source.stream": "other"}}).status_code == 200
    assert ctr.found.stream_of(None) == "ctr-clickstream"
    assert ask("POST", "/api/applications/ctr/job/start").status_code == 200
    assert ctr.found.stream_of(None) == "other"
    # Senders go on unless their template or their stream changes.
    senders = ctr.senders
    ctr.take(ctr.application, {"source": {"stream": "other"}, "anomalies": {"threshold": "3"}})
    assert ctr.senders is senders
    ctr.take(ctr.application)
    assert ctr.senders is not senders
    assert ask("PUT", PATH, json={"assignments": {}}).status_code == 200
    assert found(ask("GET", PATH).json(), "anomalies", "threshold")["value"] == "2"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"anomalies.threshold": "-1"}, "anomalies.threshold must be"),
        ({"anomalies.thresh": "1"}, "is not a property"),
        ({"aws.endpoint": "http://evil"}, "set by the console"),
        ({"tap.stream": "other"}, "set by the console"),
        ({"source.type": "recording", "source.path": "file:///etc/"}, "must be kinesis or firehose"),
        ({"sink.path": "file:///tmp/x"}, "must look like s3://"),
        ({"sink.function": "http://evil"}, "must look like s3://"),
        ({"sink": "x"}, "required group.key"),
        ({"anomalies.threshold": 3}, "required group.key"),
        ([], "required {"),
    ],
)
def test_what_may_not_be_set_is_refused(ask: Ask, given: Any, reason: str) -> None:
    answer = ask("PUT", PATH, json={"assignments": given})
    assert (answer.status_code, reason in answer.json()["error"]) == (400, True), answer.text


def test_a_bundle_has_what_a_helper_needs_and_no_secret(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    answer = ask("GET", "/api/applications/ctr/bundle")
    assert answer.headers["content-disposition"] == 'attachment; filename="ctr-bundle.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        texts = {name.removeprefix("ctr/"): archive.read(name).decode() for name in archive.namelist()}
    assert json.loads(texts["versions.json"])["apache-flink"] == "1.20.5"
    assert texts["running/scores.sql"] == (JOBS / "ctr" / "scores.sql").read_text()
    assert json.loads(texts["job.json"])["state"] == "stopped"
    assert "does not run" in texts["plan.json"]
    assert "hush" not in str(texts)
    assert ask("GET", "/api/applications/ctr/log").json() == {"lines": [], "failure": ""}
    assert ask("GET", "/api/applications/none/bundle").status_code == 404
