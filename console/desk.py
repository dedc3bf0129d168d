"""One lab's desk: all that the page shows of it, and all that it can be asked to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from console.charts import figures
from console.feed import Feed
from console.jobs import Job
from console.labs import ERRORS, Lab
from console.results import Results
from console.rings import Ring
from console.senders import Senders

#: Rows of the chosen relation, and errors, on the page.
ROWS_SHOWN = 40
ERRORS_SHOWN = 20


class Desk:
    """A lab's job, senders, streams and results.

    Parameters
    ----------
    lab : Lab
    client : callable
        Makes a boto3 client from a service's name.
    job : Job
    """

    def __init__(self, lab: Lab, client: Callable[[str], Any], job: Job) -> None:
        self.lab = lab
        self.job = job
        self.feed = Feed(lab, lambda: client("kinesis"))
        self.senders = Senders(lab, lambda: client("kinesis"))
        self.results = Results(lab, client)

    def snapshot(self, relation: str) -> dict[str, Any]:
        """Everything the page shows, with the newest rows of one relation."""
        self.feed.touch()
        self.results.touch()
        now = time.time()
        with self.feed.lock:
            rings = dict(self.feed.rings.by_relation)
            flow = {name: _counts(ring, now) for name, ring in rings.items()}
            rows = {
                name: [row.values | {"rowtime": row.rowtime} for row in ring.rows]
                for name, ring in rings.items()
            }
            shown = _rows(rings.get(relation), ROWS_SHOWN)
            errors = _rows(rings.get(ERRORS), ERRORS_SHOWN)
            unreadable = self.feed.rings.unreadable
        return {
            "lab": self.lab.name,
            "time": now,
            "ready": self.feed.ready.is_set(),
            "problem": self.feed.problem,
            "unreadable": unreadable,
            "job": self.job.view.as_json(),
            "flow": flow,
            "relation": relation,
            "rows": shown,
            "errors": errors,
            "charts": figures(self.lab.name, rows),
            "senders": self.senders.as_json(),
            "results": self.results.as_json(),
        }

    def close(self) -> None:
        """End the threads, the senders, and the job if this console's process is its own."""
        self.senders.stop_all()
        self.feed.close()
        self.results.close()
        self.job.close()


def _counts(ring: Ring, now: float) -> dict[str, Any]:
    return {"total": round(ring.total), "rate": round(ring.rate(now), 1), "sampled": ring.sampled}


def _rows(ring: Ring | None, most: int) -> list[dict[str, Any]]:
    newest = list(ring.rows)[-most:] if ring else []
    return [{"number": row.number, "rowtime": row.rowtime, "values": row.values} for row in reversed(newest)]
