"""README, docs/ and the help: links lead somewhere, commands exist and are on a page, examples run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cli.main import app
from infra.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
#: Pages that describe the present; the changelog also describes the past.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
CLI: Any = typer.main.get_command(app)
#: Lines that need neither a service nor a JVM.
OFFLINE = (
    "kda list",
    "kda properties trades",
    "kda shards --record-size 128 --records-per-second 100 --consumers 1",
    "kda generate --template click --preview",
    "kda generate --scenario clickstream --count 5 --preview",
    "kda deploy template trades",
)


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(commands(CLI))


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def blocks(text: str, *languages: str) -> list[str]:
    return [body for name, body in re.findall(r"(?ms)^```(\w*)\n(.*?)^```", text) if name in languages]


def command_lines(text: str) -> Iterator[str]:
    """Commands in code blocks and spans: the text from ``kda`` to a comment."""
    for line in [
        line for body in blocks(text, "", "console") for line in body.splitlines()
    ] + text.splitlines():
        if match := re.match(r"(?:    |\$ )?(kda [a-z].*)", line):
            yield match[1]
    yield from re.findall(r"`(kda [a-z][^`]*)`", text.replace("\n", " "))


def parsed(line: str) -> tuple[str, ...]:
    """The command of a line; fails at an unknown command or option, or too many arguments."""
    _, *words = shlex.split(line.replace("$PWD", "/tmp").partition(" > ")[0], comments=True)
    command, path = CLI, ()
    context = command.context_class(command, info_name="kda")
    while hasattr(command, "commands") and words:
        name, command, words = command.resolve_command(context, words)
        path = (*path, name)
        context = command.context_class(command, info_name=name, parent=context)
    if not hasattr(command, "commands"):
        _, left, _ = command.make_parser(context).parse_args(args=words)
        assert not left, f"{line}: {left} is too much"
    return path


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"(?m)^#+ (.*)$", file.read_text())
            assert anchor in map(slug, headings), f"{page.name}: {target}"
    rooms = "|".join(path.name for path in ROOT.iterdir() if (path / "__init__.py").exists())
    for path in re.findall(rf"`((?:{rooms}|docs|flink-conf)/[\w./-]*)`", text):
        assert (ROOT / path).exists() or re.search(r"[A-Z]{3}", path), f"{page.name}: {path}"


@pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)
def test_command_lines_are_commands(page: Path) -> None:
    for line in command_lines(page.read_text()):
        if not re.match(r"kda \S*[A-Z]", line):
            parsed(line)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_and_a_page(path: tuple[str, ...]) -> None:
    examples = re.findall(r"(?ms)^\s*Example: (kda .*?)(?:\n\s*\n|\Z)", COMMANDS[path].help)
    assert path in {parsed(re.sub(r"\s+", " ", example)) for example in examples}
    said = " ".join(("kda", *path))
    assert [page.name for page in CURRENT if re.search(rf"\b{said}\b", page.read_text())], said


@pytest.mark.parametrize("line", OFFLINE)
def test_examples_run(line: str) -> None:
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, done.output
    shown = [
        body for page in CURRENT for body in blocks(page.read_text(), "console") if f"$ {line}\n" in body
    ]
    for body in shown:
        expected = body.partition(f"$ {line}\n")[2].partition("\n...")[0].partition("\n$ ")[0]
        assert done.output.startswith(expected), body


def test_the_import_that_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "describe-application.json"
    Path(name).write_text((ROOT / "tests" / "documents" / name).read_text())
    done = CliRunner().invoke(app, ["import", name, "--to", "fleet"])
    assert f"$ kda import {name} --to fleet\n{done.output}" in (ROOT / "README.md").read_text()


def test_every_make_target_on_a_page_is_one() -> None:
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", (ROOT / "Makefile").read_text()))
    named = {
        name for page in CURRENT for name in re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(), re.M)
    }
    assert named
    assert named - targets == set()


@pytest.mark.parametrize("name", ["README.md", "docs/forest.md", "docs/detection.md"])
def test_python_on_a_page_runs(name: str) -> None:
    examples = blocks((ROOT / name).read_text(), "python")
    assert examples
    rows = [[float(k * 37 % 100)] for k in range(300)]
    two = [[*row, 1.0] for row in rows]
    given = {"records": two, "record": two[0]} if "forest" in name else {"history": rows, "rows": rows}
    for example in examples:
        exec(compile(example, name, "exec"), given)


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f"]({page.name})" not in index]
    assert missing == ["README.md"]
