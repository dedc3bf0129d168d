"""The workbench in a real browser: lab 1 from an empty account to its message, all of it on the page."""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from base.aws import Aws
from infra import local, stacks
from infra.paths import ROOT
from pipeline.catalog import JOBS, read
from tests.console.conftest import HOSTILE, Console, Page
from tests.waiting import until

pytestmark = [pytest.mark.aws, pytest.mark.flink]

LAB = Path(__file__).parents[1] / "kda_sql" / "cases" / "lab-click-through-rate.yaml"
#: The lab's own program with windows of a second: the forest has learned after a dozen of them.
SQL = yaml.safe_load(LAB.read_text())["sql"].replace("SECOND / 10 TO SECOND", "SECOND / 1 TO SECOND")
FUNCTION = "CSEBeconAnomalyResponse"
#: The page's steps, each with an element that is there when it has loaded.
STEPS = {
    "Overview": ".plot .point",
    "Source": ".columns input",
    "SQL": ".problems .fine",
    "Results": ".grid td",
    "Backtest": ".backtest-found td",
    "Destinations": ".places b",
    "Operations": ".property",
}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with local.running_local_aws(folder / "aws") as aws:
        # The pre-lab stack: the function and its topic. The rest is done on the page.
        stacks.deploy(aws, read(JOBS / "ctr"))
        environment = os.environ | {"KDA_STATE": str(folder), "COLUMNS": "140"}
        command = [sys.executable, "-m", "cli.main", "console", "--port", "0"]
        command += ["--endpoint", str(aws.endpoint)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert process.stdout
        line = process.stdout.readline()
        url = re.search(r"http://\S+", line)
        assert url, line
        try:
            yield Console(url[0], str(aws.endpoint), folder, process, environment)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture
def page(browser: Any, console: Console) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened = Page(context.new_page())
    opened.goto(console.url)
    yield opened
    context.close()


def test_lab_1_from_an_empty_account_to_its_message(page: Page, console: Console, tmp_path: Path) -> None:
    page.press("New application")
    page.field("Name").fill("clicks")
    page.keep("new-application")
    page.press("Create")

    # The source: a stream, records, a schema; a wrong type shows at once.
    page.press("New stream")
    page.field("Name").fill("clicks")
    page.press("Create")
    page.see("select[name=stream]", "clicks · Kinesis stream, 1 shard")
    for template in ("impression", "click"):
        page.press("Add a sender")
        page.field("What").select_option(template)
        page.field("Records per second").fill("10")
        page.locator("dialog").get_by_role("button", name="Start", exact=True).click()
        page.see(".senders li", template)
    page.see(".senders small", re.compile(r"[1-9]\d* sent"))
    page.press("Discover schema")
    page.see(".sample td", "Impression")
    page.keep("source")
    page.field("Type of column 1").fill("INTEGER")
    page.tab("Errors")
    page.see(".sample .error", "browseraction")
    page.field("Type of column 1").fill("VARCHAR(32)")
    page.see(".sample", "No errors: every record becomes a row.")

    # A mistake in SQL is marked at its place, then fixed. A reload loses nothing that was typed.
    page.step("SQL")
    page.write(SQL.replace('"CLICKCOUNT" /', '"CLICKCONT" /'))
    page.see(".problems li", "CLICKCONT")
    page.see(".cm-lintRange-error", "CLICKCONT")
    page.keep("sql-problem")
    page.locator(".problems button").first.click()
    assert page.editor().evaluate("e => e.getRootNode().activeElement === e"), "a problem leads to its place"
    page.write(SQL)
    page.reload()
    page.see(".problems", "No problems")
    assert "CLICKCONT" not in page.editor().inner_text()
    page.see(".kept", "Draft kept")

    # A second tab says that there is another one, and shows what is typed in the first, even while it loads.
    other = Page(page.context.new_page())
    loading: list[Any] = []
    other.route("**/document", lambda route: loading.append(route))
    with other.expect_request("**/document"):
        other.goto(page.url)
    page.see("#notices", "open in another tab too")
    page.editor().press("Control+Home")
    page.keyboard.insert_text("-- typed in one tab\n")
    loading.pop().continue_()
    other.see(".cm-line", "-- typed in one tab")
    page.see(".kept", "Draft kept")
    other.close()

    page.press("Save and run")
    page.see("#job-state", "Running")
    page.tab_of("CTRSTREAM")
    page.see(".grid td", "100")
    page.see("#job-facts", "s ago")  # a checkpoint, which the killed job goes on from

    # Values of records are shown as text everywhere, never as HTML.
    kinesis = Aws.local(console.endpoint).client("kinesis")
    hostile = f'{{"browseraction": "Other", "site": "{HOSTILE}"}}'
    for data in (hostile, f"no json {HOSTILE}"):
        kinesis.put_record(StreamName="clicks", Data=data, PartitionKey="x")
    page.tab_of("error_stream")
    page.see(".grid td", HOSTILE)
    page.tab_of("SOURCE_SQL_STREAM_001")
    newest = page.locator(".grid td").first
    before = newest.inner_text()
    page.wait_for_function("before => document.querySelector('.grid td').textContent > before", arg=before)
    assert page.locator(".grid tbody tr").count() <= 200
    page.locator("input[type=search]").fill("other")
    page.see(".grid td", HOSTILE)
    page.keep("results")
    page.locator("input[type=search]").fill("")
    assert page.locator("#main img").count() == 0
    assert page.title() == "clicks – kda console"

    os.kill(console.job_pid("clicks"), signal.SIGKILL)
    page.see("#job-state", "Killed")
    page.see("#job-trouble", "The job's process was killed by signal 9.")
    page.keep("killed")

    # The function is connected; the new version goes on from the state of the old one.
    page.step("Destinations")
    page.press("Connect a destination")
    page.field("In-application stream").select_option("DESTINATION_SQL_STREAM")
    page.field("Name").fill(FUNCTION)
    page.press("Test the connection")
    page.see("dialog", "it exists and is active")
    page.keep("destination")
    page.press("Connect")
    page.step("SQL")
    agree = page.locator("dialog").get_by_role("button", name="Drop it and run")
    page.add_locator_handler(agree, lambda: agree.click())
    page.press("Save and run")
    page.see("#job-state", "Running")
    page.see("#job-facts div", "restored1")

    # The scores, and the burst.
    page.step("Overview")
    page.locator(".plot .scatterlayer .point").nth(15).wait_for(state="attached")
    burst = page.locator(".senders li").filter(has_text="click").locator("input")
    burst.fill("40")
    burst.press("Enter")
    page.see("#results pre", re.compile(r"The click-through rate is anomalous: [34]\d\d\.\d %"))
    burst.fill("10")
    burst.press("Enter")
    page.see("#results h4", "Messages sent: ")
    # Settings are tried on the rows that were scored; another threshold needs no new run.
    page.step("Backtest")
    page.field("Settings to try, one per line: the detector’s properties that differ").fill("side=below")
    page.press("Run the backtest")
    page.see(".backtest-found tr", "side=below")
    slider = page.get_by_role("slider")
    slider.press("End")
    page.see(".backtest-found label", "Threshold 2.5, set to 1.5")
    # The other pictures show it wide and light.
    for scheme, width in (("light", 390), ("dark", 1280)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        for step, there in STEPS.items():
            page.step(step)
            page.locator(there).first.wait_for()
            page.keep(f"{step.lower()}-{scheme}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, step
    page.set_viewport_size({"width": 1280, "height": 900})
    assert page.complaints == []

    # The same application on the command line.
    def watched() -> bool:
        kinesis.put_record(StreamName="clicks", Data="no json", PartitionKey="x")
        seen = console.kda("watch", "clicks", "--seconds", "4", "--rows", "2")
        return bool(re.search(r"rowtime +browseraction +site", seen)) and "INVALID_JSON" in seen

    # On a busy machine the job's rows may take longer than a look.
    until(watched, "rows and an error in what kda watch shows")
    report = tmp_path / "clicks.html"
    console.kda("report", "clicks", "--to", str(report))
    assert '"title": "Anomaly score' in report.read_text()
    assert re.search(r"clicks +│ running", console.kda("status"))
    recorded = tmp_path / "clicks.jsonl"
    console.kda("record", "clicks", str(recorded))
    assert "Impression" in recorded.read_text()

    page.press("Stop with savepoint")
    page.see("#job-state", "Stopped")


def test_the_labs_are_examples_to_run_and_to_copy(page: Page) -> None:
    for name in ("Sessions", "Trades"):
        page.get_by_role("link", name=name).click()
        page.see("#title", name)
        # Their stacks are not deployed here, which the page must say instead of staying blank.
        page.see("#lost", "The streams can't be read")
        page.get_by_role("button", name="Start", exact=True).wait_for()
    page.step("SQL")
    page.see(".notice", "A copy of it can be edited.")
    page.press("Duplicate to edit")
    page.field("Name of the copy").fill("mine")
    page.press("Duplicate")
    page.see("#title", "mine")
    page.see(".kept", "Draft kept")
    page.step("Operations")
    page.press("Delete")
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.locator("#applications").get_by_text("mine").wait_for(state="detached")


@pytest.fixture
def other_page() -> Iterator[str]:
    """A page of another program on this machine, so that the browser itself does not keep it from the console."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_no_other_origins_page_can_change_anything(page: Page, console: Console, other_page: str) -> None:
    page.goto(other_page)
    asked = """async (url) => {
        const results = [];
        for (const options of [{}, {method: "POST"}, {method: "POST", mode: "no-cors"}]) {
            try {
                const path = options.method ? "api/streams" : "api/applications";
                const answer = await fetch(url + path, options);
                results.push(answer.type + await answer.text());
            } catch (error) { results.push("refused"); }
        }
        return results;
    }"""
    assert page.evaluate(asked, console.url) == ["refused"] * 3
    assert (
        "kinesis-analytics-demo-stream"
        not in Aws.local(console.endpoint).client("kinesis").list_streams()["StreamNames"]
    )


def test_a_lost_connection_shows(page: Page, console: Console) -> None:
    page.see("#link", "Live")
    console.process.send_signal(signal.SIGSTOP)
    try:
        page.see("#lost", "has not answered for some seconds")
        page.see("#link", "Connection lost")
        page.keep("connection-lost")
    finally:
        console.process.send_signal(signal.SIGCONT)
    page.see("#link", "Live")
    console.process.send_signal(signal.SIGINT)
    console.process.wait(60)
    page.see("#lost", "The connection to the console is lost.")
