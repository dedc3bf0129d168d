"""A real browser for the console's page."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.paths import ROOT

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
SCREENSHOTS = ROOT / "build" / "screenshots"
HOSTILE = "<img src=x onerror=document.title='owned'>"
#: Milliseconds, far above what is needed on a quiet machine.
PATIENCE = 240_000


@dataclass
class Console:
    """A running `kda console`."""

    url: str
    endpoint: str
    state: Path
    process: subprocess.Popen[str]
    environment: dict[str, str]

    def job_pid(self, name: str) -> int:
        return int(json.loads((self.state / "flink" / "running" / f"{name}.json").read_text())["pid"])

    def kda(self, *arguments: str) -> str:
        """Run a command; return its output."""
        command = [sys.executable, "-m", "cli.main", *arguments, "--endpoint", self.endpoint]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=self.environment, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Page:
    """A page in the browser, with methods for the console's elements; all others are those of Playwright's page."""

    def __init__(self, opened: Any) -> None:
        self._page = opened
        self.complaints: list[str] = []
        opened.context.set_default_timeout(PATIENCE)
        opened.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)

    def see(self, selector: str, text: str | re.Pattern[str]) -> None:
        """Wait until an element shows a text."""
        try:
            self._page.locator(selector).filter(has_text=text).first.wait_for()
        except Exception:
            self.keep("failed")
            raise

    def press(self, name: str) -> None:
        self._page.get_by_role("button", name=name, exact=True).click()

    def field(self, label: str) -> Any:
        return self._page.get_by_label(label, exact=True)

    def tab(self, name: str) -> None:
        self._page.get_by_role("tab", name=name).click()

    def tab_of(self, relation: str) -> None:
        """Select the tab with the rows of a relation."""
        self._page.locator(f'.rows [data-tab="{relation}"]').click()

    def step(self, name: str) -> None:
        self._page.locator("#steps").get_by_role("link", name=re.compile(f"^{name}")).click()

    def editor(self) -> Any:
        return self._page.locator(".cm-content")

    def write(self, text: str) -> None:
        """Replace the text in the editor, as if by pasting."""
        self.editor().click()
        self._page.keyboard.press("Control+a")
        # Delete first: the browser styles text typed over coloured words, which the page's policy reports as an error.
        self._page.keyboard.press("Delete")
        self._page.keyboard.insert_text(text)

    def keep(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self._page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def _find() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; installed from Debian's packages if possible."""
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


# Not session-scoped: while the browser is open its event loop runs, and no other test could start one.
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
