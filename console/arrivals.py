"""The newest records, messages, items or objects at a destination, and their number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Protocol

MOST_ARRIVALS = 50
MOST_CHARACTERS = 2000


class Arrivals:
    """The newest arrivals at one place.

    Parameters
    ----------
    kind : str
        ``messages``, ``items``, ``objects``, ``records``, ``log``; ``waiting`` before anything is known.
    title : str
        The place's name on the page.

    Attributes
    ----------
    found : dict
        ``{"time", "title", "text"}`` by id, the newest last.
    total : int
        Number of arrivals, as far as counted.
    problem : str
        Why nothing can be shown; else empty.
    """

    def __init__(self, kind: str, title: str) -> None:
        self.kind = kind
        self.title = title
        self.found: OrderedDict[str, dict[str, str]] = OrderedDict()
        self.total = 0
        self.problem = ""
        self._lock = threading.Lock()

    def keep(self, id_: str, moment: str, title: str, text: str) -> None:
        """Add an arrival; it replaces an earlier one with the same id."""
        with self._lock:
            self.found.pop(id_, None)
            self.found[id_] = {"time": moment, "title": title[:200], "text": text[:MOST_CHARACTERS]}
            while len(self.found) > MOST_ARRIVALS:
                self.found.popitem(last=False)

    def as_json(self) -> dict[str, Any]:
        """Plain data for the page."""
        with self._lock:
            newest = list(reversed(self.found.values()))
        return {
            "kind": self.kind,
            "title": self.title,
            "newest": newest,
            "total": self.total,
            "problem": self.problem,
        }


class Poller(Protocol):
    """Polls one place for arrivals."""

    arrivals: Arrivals

    def poll(self) -> str | None:
        """Poll once; return why nothing can be shown, or None."""
