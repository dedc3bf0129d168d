"""Files that are none: each is reported with a place, whatever is in them, and none is an error of the program."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalog import JOBS
from workbench.checked import check
from workbench.description import DESCRIPTION, SQL
from workbench.language import known
from workbench.store import Form
from workbench.uploads import files_of_sql

COLUMNS = (
    ("TICKER_SYMBOL", "VARCHAR(64)"),
    ("SECTOR", "VARCHAR(64)"),
    ("CHANGE", "DOUBLE"),
    ("PRICE", "DOUBLE"),
)
SCHEMA = {"RecordColumns": [{"Name": name, "SqlType": type_} for name, type_ in COLUMNS]}
ODD: tuple[Any, ...] = (None, 0, -1, "", [], {}, True, 1e308, ["a"], {"a": 1}, "../x", [[[]]], 10**30)
PIECES = (
    "'",
    '"',
    "`",
    "(" * 3000,
    "/*",
    "--",
    "\x00",
    "é",
    "[",
    "!!python/object:os.system {}",
    "- ",
    "9" * 40,
)


def mutilated(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice((0, 1, 3, 20)))
    if chance.random() < 0.5:
        return text[:start] + chance.choice(PIECES) + text[start:]
    return text[:start] + text[end:]


def replaced(value: Any, chance: random.Random) -> Any:
    """One value of a tree is another."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return value | {key: replaced(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], replaced(value[place], chance), *value[place + 1 :]]
    return chance.choice(ODD)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_mutilated_is_reported_with_its_place(seed: int) -> None:
    chance = random.Random(seed)
    template = chance.choice(known()["templates"])
    lab = chance.choice(("ctr", "sessions", "trades"))
    of_lab = {p.name: p.read_text() for p in Path(JOBS / lab).iterdir() if p.suffix in (".sql", ".yaml")}
    del of_lab["stack.yaml"]
    applications: list[tuple[Form, dict[str, str]]] = [
        ("kda", files_of_sql(template["sql"], "s", SCHEMA)),
        ("flink", of_lab),
    ]
    for form, files in applications * 15:
        name = chance.choice(list(files))
        changed = (
            json.dumps(replaced(json.loads(files[name]), chance))
            if name == DESCRIPTION
            else mutilated(files[name], chance)
        )
        found = check("x", "X", form, files | {name: changed})
        assert found.folder or found.errors
        for problem in found.problems:
            assert problem.message
            assert 1 <= problem.line <= (files | {name: changed})[problem.file].count("\n") + 1


def test_a_program_that_is_too_long_is_none() -> None:
    files = files_of_sql("-- x\n" * 30_000, "s", SCHEMA)
    (problem,) = check("x", "X", "kda", files).errors
    assert (problem.file, "102,400" in problem.message) == (SQL, True)
