"""`kda deploy` of any application, against the local AWS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from base.aws import Aws
from cli import deploy
from infra import cloudformation, local, managed_flink, package, stacks
from pipeline.application import Application
from pipeline.catalog import all_applications
from tests.fleet import fleet
from tests.infra.templates import problems


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cloudformation._WAIT, "Delay", 0.1)
    monkeypatch.setattr(managed_flink, "_POLL_SECONDS", 0.05)


def run(*arguments: str, code: int = 0, answers: str | None = None) -> str:
    result = CliRunner().invoke(deploy.app, list(arguments), input=answers)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("lab", [a.name for a in all_applications()])
def test_every_lab_has_a_template_that_is_lint_clean(lab: str) -> None:
    text = run("template", lab, "-p", "source.position=TRIM_HORIZON")
    assert problems(text) == []
    groups = property_groups(text)
    assert groups["job"] == {"name": lab}
    assert groups["source"] == {"position": "TRIM_HORIZON"}


def property_groups(text: str) -> dict[str, dict[str, str]]:
    configuration = yaml.safe_load(text)["Resources"]["Application"]["Properties"]["ApplicationConfiguration"]
    return {
        group["PropertyGroupId"]: group["PropertyMap"]
        for group in configuration["EnvironmentProperties"]["PropertyGroups"]
    }


def test_a_template_of_an_application_that_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By path from anywhere, with a role for each of its streams and destinations."""
    folder = fleet(tmp_path, "my-fleet").folder
    monkeypatch.chdir(tmp_path)
    text = run("template", "./my-fleet", "-p", "tap.stream=seen", "-p", "source.stream=telemetry-2")
    assert text == run("template", str(folder), "-p", "tap.stream=seen", "-p", "source.stream=telemetry-2")
    assert problems(text) == []
    assert "*id0" not in text, "CloudFormation knows no YAML aliases"
    assert property_groups(text)["job"] == {"name": "my_fleet"}
    for resource in (
        "stream/telemetry-2",
        "stream/my_fleet-errors",
        "stream/seen",
        "stream/fleet-alerts",
        "deliverystream/fleet-averages",
        "table/fleet-newest",
        "function:fleet-pager",
        "s3:::fleet-doors/*",
        "s3:::fleet-landing/*",
    ):
        assert text.count(f"{resource}\n") == 1, resource


def one_line(*arguments: str, code: int = 1) -> str:
    (line,) = run(*arguments, code=code).splitlines()
    return line


def test_what_can_not_be_deployed_is_said_in_a_line(tmp_path: Path) -> None:
    application = fleet(tmp_path)
    folder = str(application.folder)
    assert one_line("template", "fleat").endswith(
        "application must be one of ctr, sessions, trades, or a folder with application.yaml, got 'fleat'"
    )
    assert "nothing/application.yaml: no such file" in one_line("template", str(tmp_path / "nothing"))
    for name in ("*", "function-$x", "x$y"):
        assert one_line("template", folder, "-p", f"reported.function={name}") == (
            "kda deploy: reported: required the name of one AWS resource, without * ? $ and quotes, "
            f"got 'function:{name}'"
        )
    assert "reported.stream is required with type kinesis" in one_line(
        "template", folder, "-p", "reported.type=kinesis"
    )
    (application.folder / "hot.sql").unlink()
    assert "required a file hot.sql" in one_line("template", folder)
    (application.folder / "application.yaml").write_text("title: [")
    assert "application.yaml:2:1: not valid YAML" in one_line("template", folder)


def test_mistakes_are_found_before_anything_is_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be deployed")

    monkeypatch.setattr(stacks, "deploy", never)
    nowhere = ("--endpoint", "http://127.0.0.1:1")
    assert "anomalies.treshold is not a property" in run(
        "up", "trades", "-p", "anomalies.treshold=1", *nowhere, code=1
    )
    assert "anomalies.treshold is not a property" in run(
        "trades", "-p", "anomalies.treshold=1", *nowhere, code=1
    )
    assert "application must be one of ctr, sessions, trades" in run("up", "trade", *nowhere, code=1)
    assert "No such command 'trade'" in run("trade", *nowhere, code=2)
    assert "either --endpoint or --aws" in run("start", "trades", "--aws", *nowhere, code=2)


def test_a_parameter_without_value_is_asked_for_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "prompt", lambda name, hide_input: f"{name} {hide_input}")
    assert deploy._divided(["Password", "Parallelism=2", "Email=a=b@c.d"]) == (
        {"Parallelism": "2"},
        {"Password": "Password True", "Email": "a=b@c.d"},
    )


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with local.running_local_aws(tmp_path_factory.mktemp("deploy") / "aws") as aws:
        yield aws


@pytest.mark.aws
def test_a_lab_s_life(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = tmp_path / "package.zip"
    zipped.write_bytes(b"zip")
    monkeypatch.setattr(package, "build", lambda application: package.Contents(zipped, 3, {}))
    there = ("--endpoint", str(aws.endpoint))

    assert "kda-trades is not deployed" in run("status", "trades", *there, code=1)
    assert "kda-trades is not deployed" in run("update", "trades", *there, code=1)
    shown = run("up", "trades", *there, "-P", "Parallelism=2", "-P", "ShardCount=2")
    assert "TradeStreamName: Demo-samples" in shown
    assert "kda-trades: ready, version" in shown
    assert "parallelism 2, no snapshot" in shown
    assert "kda deploy start trades" in shown
    assert "ready" in run("status", "trades", *there, code=1)
    assert "running" in run("start", "trades", *there)
    assert "running" in run("status", "trades", *there)
    assert "running" in run("update", "trades", *there, "-p", "anomalies.threshold=2")
    assert "ShardCount: not a parameter" in run("update", "trades", *there, "-P", "ShardCount=3", code=1)
    assert "newest snapshot STOP-kda-trades" in run("stop", "trades", *there)
    assert "Aborted" in run("delete", "trades", *there, answers="n\n", code=1)
    assert "deleted" in run("delete", "trades", *there, answers="y\n")
    assert "not deployed" in run("status", "trades", *there, code=1)


@pytest.mark.aws
def test_the_life_of_an_application_that_is_no_lab(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def build(application: Application) -> package.Contents:
        built.append(application.name)
        zipped = tmp_path / "package.zip"
        zipped.write_bytes(b"zip")
        return package.Contents(zipped, 3, {})

    monkeypatch.setattr(package, "build", build)
    folder, there = str(fleet(tmp_path).folder), ("--endpoint", str(aws.endpoint))
    assert f"kda deploy up {folder}" in run("status", folder, *there, code=1)
    # Without `up`, as with a lab.
    shown = run(folder, *there, "-p", "source.stream=trucks", "-P", "ShardCount=2", "-P", "Parallelism=2")
    assert "SourceStreamName: trucks" in shown
    assert "NewestTableName: fleet-newest" in shown
    assert f"kda deploy start {folder}" in shown
    assert built == ["fleet"]
    summary = aws.client("kinesis").describe_stream_summary(StreamName="trucks")
    assert summary["StreamDescriptionSummary"]["OpenShardCount"] == 2
    assert "running" in run("start", folder, *there)
    assert "running" in run("update", folder, *there, "-p", "source.stream=trucks")
    assert "newest snapshot" in run("stop", folder, *there)
    # Without its property the stream would be another: asked before, as what is in it would be gone.
    asked = run("up", folder, *there, answers="n\n", code=1)
    assert "Kinesis Stream trucks: no longer named" in asked
    assert "Aborted" in asked
    assert "SourceStreamName: fleet-telemetry" in run("up", folder, "--yes", *there)
    assert "fleet: deleted" in run("delete", folder, "--yes", *there)
    assert aws.client("kinesis").list_streams()["StreamNames"] == []
