"""An application that is none of the project's, by its folder: the page, watch, report and status show it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import local
from infra.clients import client
from infra.paths import ROOT
from pipeline.catalog import read

pytestmark = [pytest.mark.aws, pytest.mark.flink]

FLEET = Path(__file__).parent / "fleet"
SCREENSHOTS = ROOT / "build" / "screenshots"
PATIENCE = 240_000


@dataclass
class Console:
    """A running `kda console` of the fleet."""

    url: str
    endpoint: str
    environment: dict[str, str]

    def kda(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "cli.main", *arguments, "--endpoint", self.endpoint]
        environment = self.environment | {"COLUMNS": "140"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("own")
    environment = os.environ | {"KDA_STATE": str(folder)}
    with local.running_local_aws(folder / "aws") as endpoint:
        application, kinesis = read(FLEET), client("kinesis", endpoint)
        for stream in ("fleet-telemetry", "fleet-averages", application.tap_stream, application.error_stream):
            kinesis.create_stream(StreamName=stream, ShardCount=1)
            kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
        command = [sys.executable, "-m", "cli.main", "console", str(FLEET), "--port", "0"]
        # Windows of a second: the forests have learnt after ten.
        command += ["--endpoint", endpoint, "-p", "fleet.averages.size=1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert process.stdout
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url
        try:
            yield Console(url[0], endpoint, environment)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture
def page(browser: Any, console: Console) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.complaints = []
    opened.on("console", lambda m: opened.complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto(console.url)
    yield opened
    context.close()


def see(page: Any, selector: str, text: str) -> None:
    page.locator(selector).filter(has_text=text).first.wait_for()


def test_its_page_watch_report_and_status(page: Any, console: Console, tmp_path: Path) -> None:
    see(page, "#title", "fleet")
    see(page, "#flow .node", "fleet-averages")
    assert page.locator("#flow [data-node]").count() == 7
    page.get_by_role("button", name="Start", exact=True).click()
    see(page, "#job-facts", "s ago")  # the first checkpoint: every part of the job runs
    page.get_by_role("button", name="Start Vehicles").click()
    page.get_by_role("button", name=re.compile("^scored")).click()
    see(page, "#rows-title", "Newest rows of scored")
    page.locator("#rows tbody tr").nth(11).wait_for()
    # In the order of the relation: what is wide and comes last pushes nothing out.
    assert page.locator("#rows th").all_inner_texts() == [
        "rowtime", "vehicle", "window_end", "speed", "anomaly_score", "anomaly_explanation",
    ]  # fmt: skip
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.999", page.locator("#rows td").first.inner_text())
    see(page, "figure h4", "Anomaly score")
    page.locator("figure summary").click()
    see(page, "figure td", "threshold")
    see(page, "figure td", "v1")
    see(page, "#results h4", "Records in fleet-averages: ")
    see(page, "#results pre", '"vehicle":"v')
    client("kinesis", console.endpoint).put_record(
        StreamName="fleet-telemetry", Data="no json", PartitionKey="x"
    )
    see(page, "#errors pre", "no json")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=SCREENSHOTS / f"own-{scheme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []

    watched = console.kda("watch", str(FLEET), "--seconds", "4", "--rows", "2")
    assert re.search(r"rowtime +vehicle +window_end +speed +anomaly_score", watched)
    assert "INVALID_JSON" in watched
    assert re.search(r"telemetry  (sampled, about )?[\d.]+/s, [\d,]+ rows", watched)

    path = tmp_path / "fleet.html"
    console.kda("report", str(FLEET), "--to", str(path))
    text = path.read_text()
    assert "<title>A fleet&#x27;s telemetry" in text
    assert re.search(r"<dt>averages</dt><dd>(about )?[\d,]+ rows", text)
    assert '"title": "Anomaly score"' in text

    status = next(line for line in console.kda("status").splitlines() if "fleet" in line and "│" in line)
    assert [cell.strip() for cell in status.strip("│ ").split("│")][1::5] == ["running", "1"]

    recorded = tmp_path / "fleet.jsonl"
    console.kda("record", str(FLEET), str(recorded))
    assert "motion" in recorded.read_text()

    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Stop with savepoint").click()
    see(page, "#job-state", "Stopped")
