"""What the workbench refuses: other files of this machine, names and files that can't be."""

import json
from pathlib import Path
from typing import Any

import pytest

from console.controller import Controller
from pipeline.catalog import JOBS, read
from tests.console.bench import Ask, Idle, asked, bench, unreachable
from tests.console.made import FROM_SQL, SQL, made, saved


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return asked(bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())}))


REFUSED = {
    "a file as reference table": ("references", "  r: {path: file:///etc/passwd, columns: {a: STRING}}"),
    "a recording": ("sources", "  s: {type: recording, path: 'file:///etc/', columns: {a: STRING}}"),
    "a landing on this machine": (
        "sources",
        "  s: {type: firehose, path: 'file:///etc/', columns: {a: STRING}}",
    ),
    "a destination on this machine": ("destinations", "  - {of: s, type: s3, path: file:///tmp/x}"),
    "an alias": ("label", " &a [x, *a]"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_made_on_the_page_reaches_no_file_of_this_machine(ask: Ask, what: str) -> None:
    document = made(ask, "evil", {"kind": "copy", "application": "ctr"})
    key, line = REFUSED[what]
    parts = {"title": " t", "sources": "\n  s: {stream: x, columns: {a: STRING}}", "relations": "\n  - v"}
    parts[key] = line if key == "label" else f"\n{line}"
    document["files"] = {
        "application.yaml": "".join(f"{k}:{v}\n" for k, v in parts.items()),
        "v.sql": "SELECT a FROM s",
    }
    answer = saved(ask, document)
    assert answer.status_code == 422
    assert all(p["file"] == "application.yaml" and p["line"] for p in answer.json()["problems"])


def test_no_hint_gives_a_connector_other_options(ask: Ask) -> None:
    document = made(ask)
    hint = "/*+ OPTIONS('path'='/') */"
    # Also after text that looks like the start of a string, or like an open comment.
    for before in ("", "/* ' */ ", "// '\n", "-- x\r", "/* -- */ "):
        document["files"]["kda.sql"] = SQL.replace("GROUP", f"{before}{hint} GROUP")
        assert "hint" in saved(ask, document).json()["problems"][0]["message"]
    document["files"]["kda.sql"] = f"-- no hint: /*+ x */\n{SQL}"
    assert saved(ask, document).status_code == 200


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("../x", FROM_SQL),
        ("a/b", FROM_SQL),
        ("", FROM_SQL),
        (7, FROM_SQL),
        ("x" * 49, FROM_SQL),
        ("ok", {"kind": "sql", "sql": SQL, "stream": "s://x"}),
        ("ok", {"kind": "description", "text": "{}", "filename": "../../x.json"}),
        ("ok", {"kind": "description", "text": 'x = file("/etc/passwd")', "filename": "x.tf"}),
        ("ok", {"kind": "description", "text": "a", "filename": "x.py"}),
        ("ok", {"kind": "description", "text": "a: &a [1]\nb: [*a, *a]", "filename": "x.json"}),
        ("ok", {"kind": "nothing"}),
        ("ok", [FROM_SQL]),
    ],
)
def test_invalid_names_and_origins(ask: Ask, name: Any, origin: Any, tmp_path: Path) -> None:
    answer = ask("POST", "/api/applications", json={"name": name, "from": origin})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert not [p for p in (tmp_path / "workbench").glob("*") if p.is_dir()]


@pytest.mark.parametrize(
    "files",
    [
        {},
        [],
        {"../x.sql": ""},
        {"stack.yaml": ""},
        {"job.py": ""},
        {"a.sql": 1},
        {"a.sql": "\ud800"},
        {"a.sql": "x" * 1_500_000},
    ],
)
def test_invalid_files(ask: Ask, files: Any) -> None:
    document = made(ask)
    text = json.dumps({"files": files, "revision": document["revision"]})
    assert ask("PUT", "/api/applications/mine/draft", content=text).status_code == 400
    assert ask("PUT", "/api/applications/mine/draft", content="[" * 100_000).status_code == 400
    assert ask("PUT", "/api/applications/mine/draft", content="x" * 2_000_001).status_code == 400
    made_twice = ask("POST", "/api/applications", json={"name": "MINE", "from": FROM_SQL})
    assert made_twice.status_code == 409


@pytest.mark.parametrize("name", ["..", "%2e%2e", ".previews", "%00", "a%2Fb"])
def test_a_url_can_not_name_a_path(ask: Ask, name: str) -> None:
    for method, what in (("GET", "document"), ("POST", "save"), ("GET", "bundle"), ("DELETE", "")):
        assert ask(method, f"/api/applications/{name}/{what}".rstrip("/")).status_code in (404, 405)
