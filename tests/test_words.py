"""One word for one thing: what CONTRIBUTING.md's table rules out is in no code, comment or page."""

import re

import pytest

from infra.paths import ROOT
from tests.rooms import ROOMS

TABLE = (ROOT / "CONTRIBUTING.md").read_text().partition("## Words")[2]
OLD = re.findall(
    r"`([a-z ]+)`", "".join(line.rpartition(" | ")[2] for line in TABLE.splitlines() if line[:1] == "|")
)
FOLDERS = (*ROOMS, "bench", "docs", "tests")
#: Files with other people's words: names of products in made-up records, KDA's cases, libraries, old savepoints.
EXEMPT = re.compile(
    r"generator/words\.py|tests/kda_sql/(more_)?cases/|/vendor/|/editor/|/savepoints/|test_words\.py"
)
TEXTS = {
    name: path.read_text(encoding="utf-8").lower()
    for path in [*ROOT.glob("*.md"), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*"))]
    if path.suffix in (".py", ".sql", ".js", ".css", ".html", ".yaml", ".md", ".sh")
    and not EXEMPT.search(name := path.relative_to(ROOT).as_posix())
    and name not in ("CONTRIBUTING.md", "CHANGELOG.md")
}


def test_the_table_was_read() -> None:
    assert {"grove", "courier", "told", "quiet stream"} <= set(OLD)
    assert "udfs/random_cut_forest.py" in TEXTS


@pytest.mark.parametrize("word", OLD)
def test_old_words_are_gone(word: str) -> None:
    pattern = re.compile(rf"\b{word}(s|es|ed)?\b")
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        for name, text in TEXTS.items()
        for match in pattern.finditer(text)
    ]
    assert found == []
