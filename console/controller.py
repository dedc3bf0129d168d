"""One application's controller: what the page shows of it, and the actions on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from console.charts import figures
from console.feed import Feed
from console.flow import flow
from console.job_view import Job
from console.resources import resources
from console.results import Results
from console.row_buffer import RowBuffer
from console.senders import Senders
from console.steps import Steps
from pipeline.application import ERRORS, Application

#: Most rows of the chosen relation, and most errors, on the page.
ROWS_SHOWN = 40
ERRORS_SHOWN = 20


class Controller:
    """An application's job, senders, streams and results.

    Parameters
    ----------
    application : Application
    client : callable
        Makes a boto3 client from a service's name.
    job : Job
    groups : mapping
        Property groups that replace the application's defaults.

    Attributes
    ----------
    application : Application
        The version that is shown.
    groups : mapping
        Its property groups.
    found : Resources
        Its streams and destinations.
    steps : Steps
        Busy, back-pressured and idle time of its job's steps.
    """

    def __init__(
        self,
        application: Application,
        client: Callable[[str], Any],
        job: Job,
        groups: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.job = job
        self._client = client
        self._open(application, groups)

    def _open(self, application: Application, groups: Mapping[str, Mapping[str, str]] | None) -> None:
        client = self._client
        self.application = application
        self.groups = groups or {}
        self.steps = Steps(application.name)
        self.found = resources(application, groups)
        self.feed = Feed(application, lambda: client("kinesis"), found=self.found)
        self.senders = Senders(application, self.found, lambda: client("kinesis"))
        self.results = Results(application.name, self.found.targets, client)

    def take(self, application: Application, groups: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Show another version of the application; its job is the same one."""
        feed, senders, results = self.feed, self.senders, self.results
        sending = (self.application.senders, self.found.sources)
        self._open(application, groups)
        feed.close()
        results.close()
        if sending == (application.senders, self.found.sources):
            self.senders = senders  # they keep running if nothing about them changed
        else:
            senders.stop_all()

    def described(self) -> dict[str, Any]:
        """The application's description for the page, and whether its job runs."""
        return {
            "name": self.application.name,
            "title": self.application.title,
            "label": self.application.label or self.application.name,
            "errors": ERRORS,
            "flow": flow(self.application, self.found).as_json(),
            "problem": self.found.problem,
            "running": self.runs,
            "backtest": bool(self.application.forests or self.application.detectors),
        }

    @property
    def runs(self) -> bool:
        """Whether its job runs or is starting."""
        health = self.job.view.health
        return health.url is not None or health.state in ("running", "starting")

    def snapshot(self, relation: str) -> dict[str, Any]:
        """Everything the page shows, with the newest rows of one relation."""
        self.feed.touch()
        self.results.touch()
        now = time.time()
        with self.feed.lock:
            buffers = dict(self.feed.buffers.by_relation)
            flow = {name: _counts(buffer, now) for name, buffer in buffers.items()}
            rows = {
                name: [row.values | {"rowtime": row.rowtime} for row in buffer.rows]
                for name, buffer in buffers.items()
            }
            shown = _rows(buffers.get(relation), ROWS_SHOWN)
            errors = _rows(buffers.get(ERRORS), ERRORS_SHOWN)
            unreadable = self.feed.buffers.unreadable
        return {
            "application": self.application.name,
            "time": now,
            "ready": self.feed.ready.is_set(),
            # While a job starts, the streams of its taps may still be made.
            "problem": "" if self.job.view.health.state == "starting" else self.feed.problem,
            "unreadable": unreadable,
            "job": self.job.view.as_json(),
            "flow": flow,
            "relation": relation,
            "rows": shown,
            "errors": errors,
            "charts": figures(self.application, rows, self.found.parameters),
            "senders": self.senders.as_json(),
            "results": self.results.as_json(),
        }

    def rows(self, relation: str, after: int) -> dict[str, Any]:
        """A relation's rows with numbers above `after`, oldest first, and its columns in order."""
        self.feed.touch()
        with self.feed.lock:
            buffer = self.feed.buffers.by_relation.get(relation)
            rows = [row for row in buffer.rows if row.number > after] if buffer else []
            total = round(buffer.total) if buffer else 0
            names = dict.fromkeys(name for row in (buffer.rows if buffer else ()) for name in row.values)
        return {
            "columns": list(names),
            "rows": [{"number": r.number, "rowtime": r.rowtime, "values": r.values} for r in rows],
            "total": total,
            "sampled": bool(buffer and buffer.sampled),
        }

    def close(self) -> None:
        """Stop the threads, the senders, and the job if this console started it."""
        self.senders.stop_all()
        self.feed.close()
        self.results.close()
        self.job.close()


def _counts(buffer: RowBuffer, now: float) -> dict[str, Any]:
    return {"total": round(buffer.total), "rate": round(buffer.rate(now), 1), "sampled": buffer.sampled}


def _rows(buffer: RowBuffer | None, most: int) -> list[dict[str, Any]]:
    newest = list(buffer.rows)[-most:] if buffer else []
    return [{"number": row.number, "rowtime": row.rowtime, "values": row.values} for row in reversed(newest)]
