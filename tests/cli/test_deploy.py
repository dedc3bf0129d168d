"""`kda deploy` against the local AWS, and the resources that an application's role is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from cfnlint.api import lint
from typer.testing import CliRunner

from cli import deploy
from infra import local, managed_flink, package, stacks
from infra.paths import ROOT
from jobs.catalog import JOBS, job
from jobs.settings import read_groups, settings


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stacks._WAIT, "Delay", 0.1)
    monkeypatch.setattr(managed_flink, "_POLL_SECONDS", 0.05)


def run(*arguments: str, code: int = 0, answers: str | None = None) -> str:
    result = CliRunner().invoke(deploy.app, list(arguments), input=answers)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def resources(name: str, **groups: dict[str, str]) -> dict[str, str]:
    given = read_groups(ROOT / "flink-conf" / job(name).name / "application_properties.json")
    for group, values in groups.items():
        given.setdefault(group, {}).update(values)
    named = deploy.resources(settings(job(name).settings_model, given))
    assert set(named) <= set(managed_flink.parameters())
    return {key: value for key, value in named.items() if value}


def test_the_role_is_given_what_the_settings_name() -> None:
    assert resources("trades") == {
        "SourceStream": "Demo-samples",
        "ErrorStream": "Demo-samples-errors",
        "DeliveryStream": "anomalous_stock_trades_firehose_stream",
    }
    assert resources("ctr", tap={"stream": "rows"}) == {
        "SourceStream": "ctr-clickstream",
        "ErrorStream": "ctr-errors",
        "Function": "CSEBeconAnomalyResponse",
        "TapStream": "rows",
    }
    by_arn = {"function": "arn:aws:lambda:eu-west-1:000000000000:function:writer"}
    assert resources("sessions", sink=by_arn)["Function"] == "writer"
    assert resources("sessions", sink={"type": "dynamodb"}) == {
        "SourceStream": "lab-stream",
        "ErrorStream": "lab-stream-errors",
        "Table": "CloudAcademyLabs",
    }
    landing = {"type": "firehose", "path": "s3://landing/2024/"}
    assert resources("trades", source=landing, sink={"type": "s3", "path": "s3://found/out/"}) == {
        "ErrorStream": "Demo-samples-errors",
        "SourceBucket": "landing",
        "SinkBucket": "found",
    }


@pytest.mark.parametrize("lab", [j.short for j in JOBS])
def test_every_lab_has_a_template_that_is_lint_clean(lab: str) -> None:
    text = run("template", lab, "-p", "source.position=TRIM_HORIZON")
    assert lint(text, config={"regions": ["us-east-1"]}) == []
    assert f'{{"PropertyGroupId": "job", "PropertyMap": {{"name": "{job(lab).name}"}}}}' in text
    assert '"position": "TRIM_HORIZON"' in text


def test_mistakes_are_found_before_anything_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be deployed")

    monkeypatch.setattr(stacks, "deploy", never)
    nowhere = ("--endpoint", "http://127.0.0.1:1")
    assert "anomalies.treshold is no property" in run(
        "up", "trades", "-p", "anomalies.treshold=1", *nowhere, code=1
    )
    assert "anomalies.treshold is no property" in run(
        "trades", "-p", "anomalies.treshold=1", *nowhere, code=1
    )
    assert "job must be one of trades" in run("up", "trade", *nowhere, code=2)
    assert "No such command 'trade'" in run("trade", *nowhere, code=2)
    assert "either --endpoint or --aws" in run("start", "trades", "--aws", *nowhere, code=2)


def test_a_parameter_without_value_is_asked_for_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "prompt", lambda name, hide_input: f"{name} {hide_input}")
    assert deploy._divided(["Password", "Parallelism=2", "Email=a=b@c.d"]) == (
        {"Parallelism": "2"},
        {"Password": "Password True", "Email": "a=b@c.d"},
    )


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local.running_local_aws(tmp_path_factory.mktemp("deploy") / "aws") as endpoint:
        yield endpoint


@pytest.mark.aws
def test_a_lab_s_life(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = tmp_path / "package.zip"
    zipped.write_bytes(b"zip")
    monkeypatch.setattr(package, "build", lambda: package.Contents(zipped, 3, {}))
    there = ("--endpoint", endpoint)

    assert "kda-trade-anomalies is not deployed" in run("status", "trades", *there, code=1)
    assert "kda-trade-anomalies is not deployed" in run("update", "trades", *there, code=1)
    shown = run("up", "trades", *there, "-P", "Parallelism=2", "-P", "ShardCount=2")
    assert "TradeStreamName: Demo-samples" in shown
    assert "kda-trade-anomalies: ready, version" in shown
    assert "parallelism 2, no snapshot" in shown
    assert "kda deploy start trades" in shown
    assert "ready" in run("status", "trades", *there, code=1)
    assert "running" in run("start", "trades", *there)
    assert "running" in run("status", "trades", *there)
    assert "running" in run("update", "trades", *there, "-p", "anomalies.threshold=2")
    assert "ShardCount: no parameter" in run("update", "trades", *there, "-P", "ShardCount=3", code=1)
    assert "newest snapshot STOP-kda-trade-anomalies" in run("stop", "trades", *there)
    assert "Aborted" in run("delete", "trades", *there, answers="n\n", code=1)
    assert "deleted" in run("delete", "trades", *there, answers="y\n")
    assert "not deployed" in run("status", "trades", *there, code=1)
