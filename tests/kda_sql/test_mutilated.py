"""Programs that somebody has mutilated are translated or refused with a place; nothing else ever happens."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kda_sql.description import Described
from kda_sql.errors import KdaSqlError
from kda_sql.translate import application, translate
from tests.kda_sql.case import read_cases
from tests.kda_sql.run import CASES

_WORD = re.compile(r"\s+|\w+|'[^']*'|\"[^\"]*\"|[^\w\s]")


def mutilated(described: Described, words: list[str], rng: random.Random) -> str:
    tokens = _WORD.findall(described.sql)
    for _ in range(rng.choice([1, 1, 2, 3])):
        i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        change = rng.choice(["drop", "replace", "insert", "swap"])
        if change == "drop":
            del tokens[i]
        elif change == "replace":
            tokens[i] = rng.choice(words)
        elif change == "insert":
            tokens.insert(i, f" {rng.choice(words)} ")
        else:
            tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


@pytest.mark.parametrize("seed", range(4))
def test_a_mutilated_program_is_translated_or_refused(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    cases = [case.described(tmp_path) for case in read_cases(CASES)]
    words = [w for described in cases for w in _WORD.findall(described.sql) if w.strip()]
    refused = 0
    for _ in range(60):
        described = rng.choice(cases)
        sql = mutilated(described, words, rng)
        lines = sql.split("\n")
        try:
            application(translate(replace(described, sql=sql)))
        except KdaSqlError as e:
            refused += 1
            for problem in e.problems:
                assert 1 <= problem.line <= len(lines)
                assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    assert refused > 20
