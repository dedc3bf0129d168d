"""The tree of errors is drawn once and whole, and what may reach a person is in it."""

import ast
import re
from functools import cache

import base.errors
from infra.paths import ROOT
from tests.rooms import ROOMS

#: They carry something from one of our functions to another that catches them.
CAUGHT_BY_US = {
    "Located",
    "Reported",
    "Misused",
    "EnvelopeError",
    "CoercionError",
    "AnswerError",
    "CallFailed",
    "CallRefused",
}


@cache
def parents() -> dict[str, set[str]]:
    """The names of the parents of each class of ours."""
    return {
        node.name: {ast.unparse(parent).rpartition(".")[2] for parent in node.bases} - {node.name}
        for package in ROOMS
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


def is_exception(name: str) -> bool:
    return name in ("Exception", "ValueError", "RuntimeError", "LookupError") or any(
        is_exception(parent) for parent in parents().get(name, ())
    )


def is_for_a_person(name: str) -> bool:
    return name == "KdaError" or any(map(is_for_a_person, parents().get(name, ())))


def test_every_error_for_a_person_has_the_base() -> None:
    assert {n for n in parents() if is_exception(n) and not is_for_a_person(n)} == CAUGHT_BY_US


def test_the_tree_is_whole() -> None:
    drawn = set(
        re.findall(r"\b(?!KdaError)[A-Z]\w+(?=[\s,)]|$)", str(base.errors.__doc__).partition("::")[2])
    )
    assert drawn == {name for name in parents() if is_for_a_person(name)} - {"KdaError"}
