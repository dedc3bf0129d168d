"""What came to one place: the newest things, and how many there were."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Protocol

MOST_ARRIVALS = 50
MOST_CHARACTERS = 2000


class Arrivals:
    """The newest things that came to one place.

    Parameters
    ----------
    kind : str
        ``messages``, ``items``, ``objects``, ``records``, ``log``; ``waiting`` before anything is known.
    title : str
        What a person calls the place.

    Attributes
    ----------
    found : dict
        By id, the newest last: ``{"time", "title", "text"}``.
    total : int
        How many there are in all, as far as was counted.
    problem : str
        Why nothing can be shown.
    """

    def __init__(self, kind: str, title: str) -> None:
        self.kind = kind
        self.title = title
        self.found: OrderedDict[str, dict[str, str]] = OrderedDict()
        self.total = 0
        self.problem = ""
        self._lock = threading.Lock()

    def keep(self, id_: str, moment: str, title: str, text: str) -> None:
        """Keep a thing; one of the same id takes its place."""
        with self._lock:
            self.found.pop(id_, None)
            self.found[id_] = {"time": moment, "title": title[:200], "text": text[:MOST_CHARACTERS]}
            while len(self.found) > MOST_ARRIVALS:
                self.found.popitem(last=False)

    def as_json(self) -> dict[str, Any]:
        """What the page shows."""
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
    """Looks at one place again and again."""

    arrivals: Arrivals

    def poll(self) -> str | None:
        """Poll once, and say why nothing can be shown, if so."""
