"""The backtests of a console: each in a separate process, one at a time per application."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.errors import KdaError
from console.backtest_input import MOST_BYTES, InputError, tapped, write_records, write_rows
from console.backtest_run import Run, ask, kill
from console.controller import Controller
from infra.stream_reader import StreamError
from pipeline.application import ApplicationError
from pipeline.backtest_settings import labels_of, settings_to_try, watched_by

#: Where rows can come from, and how far back a stream is read at most.
FROM, MOST_HOURS = ("tap", "stream", "recording", "same"), 24.0 * 365
_MOST_RUNS = 2
_MOST_SETTINGS, _MOST_TEXT = 6, 200
_MOST_LABELS = 100_000


class BacktestError(KdaError, ValueError):
    """A backtest can't be run; the message says why."""


class Backtests:
    """The backtests of a console.

    Parameters
    ----------
    client : callable
        Makes a boto3 client from a service's name.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        #: Holds uploaded recordings, and the rows of each application's newest run.
        self._folder: Path | None = None
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()

    async def take(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Store an uploaded recording, which replaces the one before; return its size in bytes.

        Raises
        ------
        BacktestError
            It is empty or too large; the one before is kept.
        """
        folder = self._of(name)
        coming = folder / f"coming-{os.urandom(6).hex()}"
        size = 0
        try:
            with coming.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > MOST_BYTES:
                        raise BacktestError(
                            f"a recording must have at most {MOST_BYTES:,} bytes: upload a part of it"
                        )
                    file.write(chunk)
            if not size:
                raise BacktestError("required a recording of `kda record`, got an empty file")
            coming.replace(folder / "recording.jsonl")
        finally:
            coming.unlink(missing_ok=True)
        return size

    def start(self, controller: Controller, asked: Mapping[str, Any]) -> None:
        """Start a run in the background; it takes seconds.

        Parameters
        ----------
        controller : Controller
            The application's.
        asked : mapping
            ``from``, one of :data:`FROM`; ``hours`` of a stream; ``settings``; ``labels``; ``suggest``.

        Raises
        ------
        BacktestError
            A value is not valid, or too many backtests run.
        """
        origin, hours, question = _question(controller, asked)
        name = controller.application.name
        folder = self._of(name)
        if origin == "recording" and not (folder / "recording.jsonl").exists():
            raise BacktestError("choose a recording first")
        with self._lock:
            before = self._runs.get(name)
            if before is not None and before.running:
                raise BacktestError("a backtest of this application runs already")
            if sum(run.running for run in self._runs.values()) >= _MOST_RUNS:
                raise BacktestError(f"{_MOST_RUNS} backtests run already: wait for one of them")
            if origin == "same" and not (before and before.rows):
                raise BacktestError("there are no rows of an earlier run: choose where to take rows from")
            kept = before.rows if before and origin == "same" else ""
            run = self._runs[name] = Run((before.number if before else 0) + 1, rows=kept)
        thread = threading.Thread(
            target=self._run,
            args=(run, controller, origin, hours, question, folder),
            name=f"backtest {name}",
            daemon=True,
        )
        thread.start()

    def state(self, controller: Controller) -> dict[str, Any]:
        """The newest run, as the page shows it, and the detector that a run uses."""
        application, detector = watched_by(controller.application)
        run = self._runs.get(application.name)
        return {
            "detector": detector.name,
            "of": detector.of,
            "assumed": application is not controller.application,
            "streams": [s.resource for s in controller.found.sources if s.is_stream],
            "taps": controller.found.taps,
            "running": bool(run and run.running),
            "said": run.said if run else "",
            "error": run.error if run else "",
            "rows": run.rows if run else "",
            "number": run.number if run and run.result else 0,
        }

    def result(self, name: str) -> dict[str, Any]:
        """The newest run's result, as :func:`console.backtest_result.result` makes it.

        Raises
        ------
        BacktestError
            There is none.
        """
        run = self._runs.get(name)
        if run is None or run.result is None:
            raise BacktestError("there is no result: run a backtest first")
        return run.result

    def stop(self, name: str) -> None:
        """Stop an application's run, if there is one."""
        run = self._runs.get(name)
        if run is not None and run.running:
            run.stopped = True
            kill(run.process)

    def close(self) -> None:
        """Stop all runs, and delete their files."""
        for name in list(self._runs):
            self.stop(name)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _of(self, name: str) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="kda-backtests-"))
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _run(
        self,
        run: Run,
        controller: Controller,
        origin: str,
        hours: float,
        question: dict[str, Any],
        folder: Path,
    ) -> None:
        try:
            rows, records = folder / "rows", folder / "records"
            question |= {"rows": str(rows), "recording": None, "records": None}
            found = controller.found
            if origin == "tap":
                _, detector = watched_by(controller.application)
                made, times = tapped(self._client("kinesis"), found.taps, detector.of, hours)
                write_rows(rows, made, times)
                run.rows = f"{len(made):,} rows of the tap"
            elif origin == "stream":
                streams = {s.relation: s.resource for s in found.sources if s.is_stream}
                count = write_records(self._client("kinesis"), streams, hours, records)
                question["records"], run.rows = (
                    str(records),
                    f"{count:,} records of {', '.join(streams.values())}",
                )
            elif origin == "recording":
                question["recording"], run.rows = str(folder / "recording.jsonl"), "the recording"
            if not run.stopped:
                ask(run, question, folder / "words")
        except (InputError, StreamError, ApplicationError, OSError) as error:
            run.error = str(error)
        except (ClientError, BotoCoreError) as error:
            run.error = str(error)[:1000]
        except Exception as error:  # the page shows any error
            run.error = f"{type(error).__name__}: {error}"[:1000]
        finally:
            if run.stopped:
                run.error = "It was stopped."
            if run.error:
                run.rows = ""
            run.running = False


def _question(controller: Controller, asked: Mapping[str, Any]) -> tuple[str, float, dict[str, Any]]:
    """Check a request; return where rows come from, the hours, and the question to the process."""
    origin, hours = asked.get("from"), asked.get("hours", 24)
    if origin not in FROM:
        raise BacktestError(f"from must be one of {', '.join(FROM)}, got {str(origin)[:40]!r}")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= MOST_HOURS:
        raise BacktestError(f"hours must be more than 0 and at most {MOST_HOURS:g}, got {str(hours)[:40]!r}")
    texts, labels = asked.get("settings", []), asked.get("labels", "")
    if not isinstance(texts, list) or len(texts) > _MOST_SETTINGS:
        raise BacktestError(f"settings must be a list of at most {_MOST_SETTINGS}")
    if not all(isinstance(text, str) and len(text) <= _MOST_TEXT for text in texts):
        raise BacktestError(f"settings must be texts of at most {_MOST_TEXT} characters")
    if not isinstance(labels, str) or len(labels) > _MOST_LABELS:
        raise BacktestError(f"labels must be text of at most {_MOST_LABELS:,} characters")
    # Check settings and labels now, before the rows are read.
    application, detector = watched_by(controller.application)
    settings_to_try(application, detector, texts, controller.groups)
    try:
        labels_of(labels)
    except ValueError as error:
        raise BacktestError(str(error)) from None
    question = {
        "folder": str(application.folder.absolute()),
        "groups": {group: dict(keys) for group, keys in controller.groups.items()},
        "settings": texts,
        "labels": labels,
        "suggest_too": asked.get("suggest") is True,
    }
    return origin, float(hours), question
