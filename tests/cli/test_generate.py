"""`kda generate`: the options, the errors in one line, the exit codes."""

import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import generate
from tests.waiting import until

FLEET = Path(__file__).parents[1] / "console" / "fleet"

app = typer.Typer()
app.command("generate")(generate.generate)


def kda(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_preview_shows_five_records_and_needs_no_target():
    result = kda("--template", "click", "--preview")
    assert result.exit_code == 0
    assert result.output.count('"Click"') == 5


def test_an_applications_senders_go_to_its_stream():
    result = kda(str(FLEET), "--preview")
    assert result.exit_code == 0
    assert len(re.findall('"motion"', result.output)) == 5
    assert kda("trades", "--preview").exit_code == 2
    assert "kda produce trades" in kda("trades", "--preview").output
    assert kda("none", "--preview").exit_code == 2
    assert kda("ctr", "--template", "click", "--preview").exit_code == 2


def test_preview_of_a_scenario_shows_each_template_once():
    result = kda("--scenario", "ctr-burst", "--preview")
    assert (result.output.count('"Click"'), result.output.count('"Impression"')) == (5, 5)


def test_preview_of_a_long_record_is_not_folded(tmp_path):
    (tmp_path / "long").write_text("x" * 500 + "[red]{{random.number(0)}}")
    result = kda("--template", str(tmp_path / "long"), "--preview")
    assert result.output.count("x" * 500 + "[red]0") == 5


def test_to_a_file_as_fast_as_possible(tmp_path):
    out = tmp_path / "out"
    result = kda(
        "--template", "click", "--rate", "100", "--seconds", "3", "--speed", "inf", "--to", f"file:{out}"
    )
    assert result.exit_code == 0
    assert "300 sent" in result.output
    assert "0 failed" in result.output
    assert {json.loads(line)["browseraction"] for line in out.read_text().splitlines()} == {"Click"}


def test_gzip_seed_and_ledger(tmp_path):
    texts = []
    for run in "ab":
        out, ledger = tmp_path / f"{run}.gz", tmp_path / f"{run}.jsonl"
        options = ("--seed", "7", "--start", "2026-03-04T12:00:00", "--gzip", "--ledger", str(ledger))
        result = kda("--scenario", "clickstream", "--speed", "inf", "--to", f"file:{out}", *options)
        assert result.exit_code == 0, result.output
        texts.append(gzip.decompress(out.read_bytes()).decode())
        assert texts[-1] == ledger.read_text()
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) == 3000


def test_template_and_rate_replace_those_of_a_scenario_with_one_sender(tmp_path):
    out = tmp_path / "out"
    kda(
        *("--scenario", "clickstream", "--template", "clickstream-number", "--rate", "10", "--count", "3"),
        *("--start", "2026-03-04T12:00:00", "--speed", "inf", "--to", f"file:{out}"),
    )
    stamps = [json.loads(line)["event_timestamp"] for line in out.read_text().splitlines()]
    assert [t - stamps[0] for t in stamps] == [0, 100, 200]


@pytest.mark.parametrize(
    ("scenario", "stream"), [("ctr-burst", "ctr-clickstream"), ("clickstream", "lab-stream")]
)
def test_a_scenario_of_a_lab_goes_to_its_stream(scenario, stream, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    arguments = ("--scenario", scenario, "--count", "1", "--speed", "inf", "--endpoint", "http://127.0.0.1:1")
    assert f"kda generate: stream:{stream}: Could not connect" in kda(*arguments).output


def test_a_scenario_may_name_its_target_and_the_option_is_stronger(tmp_path):
    scenario = {"to": f"file:{tmp_path / 'own'}", "senders": [{"template": "click", "rate": 1}]}
    (tmp_path / "own.yaml").write_text(json.dumps(scenario))
    arguments = ("--scenario", str(tmp_path / "own.yaml"), "--count", "1", "--speed", "inf")
    assert kda(*arguments).exit_code == 0
    assert len((tmp_path / "own").read_text().splitlines()) == 1
    assert "1 sent" in kda(*arguments, "--to", "null").output
    assert len((tmp_path / "own").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        ((), "name an APPLICATION, a --template or a --scenario", 2),
        (("--template", "click"), "must be stream:NAME, firehose:NAME, file:PATH or null, got nothing", 2),
        (("--template", "click", "--to", "kafka:x"), "got kafka:x", 2),
        (("--template", "click", "--to", "stream:"), "got stream:", 2),
        (("--template", "click", "--to", "null", "--speed", "0"), "must be above 0, got 0", 2),
        (("--template", "click", "--to", "null", "--event-time", "noon"), "simulated or wall, got noon", 2),
        (("--template", "nope", "--to", "null"), "kda generate: no template nope", 1),
        (("--scenario", "nope", "--to", "null"), "kda generate: no scenario nope", 1),
        (("--template", "click", "--rate", "0", "--to", "null"), "greater than 0, got 0", 1),
        (("--scenario", "ctr-burst", "--rate", "2", "--to", "null"), "this one has 5", 1),
        (("--template", "click", "--to", "file:/no/such/folder/x"), "No such file or directory", 1),
        (
            ("--template", "click", "--count", "1", "--to", "null", "--ledger", "/no/such/folder/x"),
            "No such file or directory",
            1,
        ),
        (
            ("--scenario", "clickstream", "--start", "9999-12-31T23:59:30", "--speed", "inf", "--to", "null"),
            "kda generate: date value out of range",
            1,
        ),
    ],
)
def test_errors(arguments, message, code):
    result = kda(*arguments)
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", result.output).split())
    assert message in plain
    assert result.exit_code == code
    assert "Traceback" not in plain


def test_an_unknown_module_is_named_with_its_template(tmp_path):
    (tmp_path / "mine").write_text("{{oh.no}}")
    result = kda("--template", str(tmp_path / "mine"), "--to", "null")
    assert "mine: Invalid module: oh" in result.output
    assert result.exit_code == 1


def test_nothing_listens_at_the_endpoint(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    result = kda(
        "--template", "click", "--speed", "inf", "--endpoint", "http://127.0.0.1:1", "--to", "stream:s"
    )
    assert "kda generate: stream:s: Could not connect" in result.output
    assert "500 failed (500 EndpointConnectionError)" in result.output
    assert result.exit_code == 1


def test_help_ends_with_an_example():
    assert "Example: kda generate --scenario clickstream --count 5 --preview" in generate.generate.__doc__
    assert kda("--help").exit_code == 0


def test_ctrl_c_ends_a_run_with_its_counts(tmp_path):
    out, ledger = tmp_path / "out", tmp_path / "ledger"
    code = "import typer; from cli.generate import generate; typer.run(generate)"
    options = ["--template", "click", "--rate", "50", "--to", f"file:{out}", "--ledger", str(ledger)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # The ledger is written call by call: the run is on its way.
        until(lambda: ledger.exists() and ledger.read_text(), "the first record")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    sent = re.search(r"([0-9]+) sent", output)
    assert sent
    assert int(sent[1]) == len(out.read_text().splitlines()) == len(ledger.read_text().splitlines()) > 0
