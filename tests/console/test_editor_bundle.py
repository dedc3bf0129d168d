"""The committed editor is the one that was built, from the packages in the lock file."""

import hashlib
import json
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parents[2] / "console"
BUNDLE = CONSOLE / "static" / "vendor" / "codemirror.js"
LOCKED = json.loads((CONSOLE / "editor" / "package-lock.json").read_text())["packages"]


def test_the_bundle_is_the_one_that_was_built() -> None:
    found = hashlib.sha256(BUNDLE.read_bytes()).hexdigest()
    wanted = (CONSOLE / "editor" / "codemirror.sha256").read_text().split()[0]
    assert found == wanted, "codemirror.js was changed by hand: make editor"


@pytest.mark.parametrize("name", [p for p, each in LOCKED.items() if p and not each.get("dev")])
def test_the_bundle_was_built_from_the_locked_packages(name: str) -> None:
    banner = BUNDLE.open(encoding="utf-8").readline()
    package = name.removeprefix("node_modules/")
    assert f" {package}@{LOCKED[name]['version']} " in banner, "the lock file is newer: make editor"
    assert package in BUNDLE.with_suffix(".LICENSE").read_text()


def test_codemirror_is_version_6() -> None:
    # The registry's highest number, 6.65.7, is a CodeMirror 5.
    assert LOCKED["node_modules/codemirror"]["version"] == "6.0.2"


def test_no_package_comes_from_a_named_host() -> None:
    assert not [p for p, each in LOCKED.items() if "resolved" in each]
