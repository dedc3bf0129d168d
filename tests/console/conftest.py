"""A real browser for the console's page."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_missing: list[str] = []


def _find() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; installed from Debian's packages where that can be done."""
    if (path := _find()) is not None:
        return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["update"],
            ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
        ):
            subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, timeout=500)
        if (path := _find()) is not None:
            return path
    _missing.append("no Chromium here: install it with apt-get install chromium")
    pytest.skip(_missing[-1])


# Not for the session: while it is open, its event loop runs, and no other test could start one.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield started
        started.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _missing:
        terminalreporter.section("NOT TESTED: the console's page in a real browser", red=True, bold=True)
        terminalreporter.line(_missing[0])
