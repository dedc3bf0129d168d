"""The console's page in a real browser, over a running lab 1: one job, the whole story, then its end."""

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import local, stacks
from infra.clients import client
from infra.paths import ROOT
from pipeline.catalog import JOBS, read

pytestmark = [pytest.mark.aws, pytest.mark.flink]

SCREENSHOTS = ROOT / "build" / "screenshots"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
#: Far above what is needed on a quiet machine.
PATIENCE = 240_000


@dataclass
class Console:
    """A running `kda console`."""

    url: str
    endpoint: str
    state: Path
    process: subprocess.Popen[str]

    def send(self, data: str) -> None:
        client("kinesis", self.endpoint).put_record(StreamName="ctr-clickstream", Data=data, PartitionKey="x")

    def job_pid(self) -> int:
        running = self.state / "flink" / "running" / "ctr.json"
        return int(json.loads(running.read_text())["pid"])


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with local.running_local_aws(folder / "aws") as endpoint:
        stacks.deploy(endpoint, read(JOBS / "ctr"))
        command = [sys.executable, "-m", "cli.main", "console", "--port", "0", "--endpoint", endpoint]
        # Windows of a second: the forest has learnt after a dozen.
        command += ["-p", "ctr.window.size=1"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"KDA_STATE": str(folder)}
        )
        assert process.stdout
        line = process.stdout.readline()
        url = re.search(r"http://\S+", line)
        assert url, line
        try:
            yield Console(url[0], endpoint, folder, process)
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
    opened.on(
        "console", lambda message: opened.complaints.append(message.text) if message.type == "error" else None
    )
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto(console.url)
    yield opened
    context.close()


def see(page: Any, selector: str, text: str, timeout: float = PATIENCE) -> None:
    """Wait until an element shows a text."""
    page.locator(selector).filter(has_text=text).first.wait_for(timeout=timeout)


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def keep(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def test_lab_1_from_start_to_kill(page: Any, console: Console) -> None:
    # Empty states say what they are.
    see(page, "#job-state", "Stopped")
    see(page, "#rows", "No rows: the job does not run.")
    see(page, "#errors", "No errors.")
    see(page, "#results", "Nothing has arrived yet.")
    assert page.get_by_text("Nothing to draw yet.").count() == 2

    press(page, "Start")
    see(page, "#rows", "No rows yet: the job starts.")
    see(page, "#job-state", "Running")
    see(page, "#job-facts", "s ago")  # the first checkpoint: every part of the job runs
    see(page, "#rows", "No row has come yet: start a sender")

    # What records hold is text, wherever it is shown.
    console.send(json.dumps({"browseraction": "Other", "site": HOSTILE}))
    console.send(f"no json {HOSTILE}")
    see(page, "#rows td", HOSTILE, 60_000)
    see(page, "#errors pre", HOSTILE, 60_000)
    assert page.locator("#main img").count() == 0
    assert page.title() == "Click-through rate – kda console"

    for sender in ("Impressions", "Clicks 1"):
        row = page.locator("#senders li").filter(has_text=sender)
        row.locator("input").fill("20")
        press(page, f"Start {sender}")
        see(page, "#senders li", "sent")
    see(page, "#rows td", "Click", 60_000)

    # By keyboard: to the scores, whose newest rows then show.
    node = page.get_by_role("button", name=re.compile("^scores"))
    node.focus()
    page.keyboard.press("Enter")
    see(page, "#rows-title", "Newest rows of scores")
    assert node.get_attribute("aria-pressed") == "true"
    page.locator("#rows tbody tr").nth(13).wait_for()

    # The burst, and its anomaly within seconds of its window.
    began = time.time()
    for place in ("2", "3", "4"):
        page.locator("#senders li").filter(has_text=f"Clicks {place}").locator("input").fill("20")
        press(page, f"Start Clicks {place}")
    see(page, "#results pre", "The click-through rate is anomalous", 60_000)
    see(page, "#results h4", "Messages sent: ")
    for place in ("2", "3", "4"):
        press(page, f"Stop Clicks {place}")
    assert time.time() - began < 20
    page.locator("figure", has_text="Anomaly score").locator("summary").click()
    see(page, "figure td", "anomaly", 60_000)
    see(page, "[data-relation=destination_sql_stream]", "row", 60_000)
    assert page.locator(".plot .scatterlayer .point").count() > 14
    keep(page, "lab-1-light")
    page.emulate_media(color_scheme="dark")
    keep(page, "lab-1-dark")
    page.set_viewport_size({"width": 390, "height": 844})
    keep(page, "lab-1-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing may be wider than a phone"
    page.set_viewport_size({"width": 1280, "height": 900})

    press(page, "Stop with savepoint")
    see(page, "#job-state", "Stopped")
    press(page, "Resume")
    see(page, "#job-state", "Running")
    see(page, "#job-facts div", "restored1")
    assert page.complaints == []

    os.kill(console.job_pid(), signal.SIGKILL)
    see(page, "#job-state", "Killed", 60_000)
    see(page, "#job-trouble", "The job's process was killed by signal 9.", 60_000)
    keep(page, "killed")


def test_the_other_labs_have_their_pages(page: Any) -> None:
    for name in ("Sessions", "Trades"):
        page.get_by_role("link", name=name).click()
        see(page, "#title", name)
        # Their stacks are not deployed here: said, not blank.
        see(page, "#lost", "The streams can't be read", 60_000)
        assert page.get_by_role("button", name="Start", exact=True).is_visible()


@pytest.fixture
def other_page() -> Iterator[str]:
    """A page of another program on this machine, so that no rule of the browser's own keeps it from the console."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_no_other_origins_page_can_start_a_sender(page: Any, console: Console, other_page: str) -> None:
    page.goto(other_page)
    asked = """async (url) => {
        const results = [];
        for (const options of [{}, {method: "POST"}, {method: "POST", mode: "no-cors"}]) {
            try {
                const path = options.method ? "api/applications/ctr/senders/clicks-4/start" : "api/applications";
                const answer = await fetch(url + path, options);
                results.push(answer.type + await answer.text());
            } catch (error) { results.push("refused"); }
        }
        return results;
    }"""
    assert page.evaluate(asked, console.url) == ["refused"] * 3
    page.goto(console.url)
    see(page, "#senders li", "Clicks 4")
    item = page.locator("#senders li").filter(has_text="Clicks 4")
    assert item.locator("button").inner_text() == "Start"


def test_a_lost_connection_shows(page: Any, console: Console) -> None:
    see(page, "#link", "Live")
    console.process.send_signal(signal.SIGSTOP)
    try:
        see(page, "#lost", "has not answered for some seconds", 60_000)
        see(page, "#link", "Connection lost")
        keep(page, "connection-lost")
    finally:
        console.process.send_signal(signal.SIGCONT)
    see(page, "#link", "Live", 60_000)
    console.process.send_signal(signal.SIGINT)
    console.process.wait(60)
    see(page, "#lost", "The connection to the console is lost.", 60_000)
