"""What arrived at an application's destinations, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.aws import reason
from console.arrivals import Arrivals, Poller
from console.pollers import pollers_of
from console.resources import Target
from console.watched import Watched

_LOOK_SECONDS = 2.0


class Results:
    """Polls the destinations while somebody watches the page.

    Parameters
    ----------
    name : str
        The application's.
    targets : sequence of Target
    client : callable
        Makes a boto3 client from a service's name; called in the thread.

    Attributes
    ----------
    places : list of Arrivals
        Arrivals by place; a function may write to several places.
    """

    def __init__(self, name: str, targets: Sequence[Target], client: Callable[[str], Any]) -> None:
        self._targets = targets
        self._client = client
        self._clients: dict[str, Any] = {}
        self._pollers: dict[str, Sequence[Poller]] = {}
        self._waiting = {t.name: Arrivals("waiting", f"{t.kind} {t.label}") for t in targets}
        watched = Watched(f"results {name}", self._look)
        self.touch, self.close = watched.touch, watched.close

    @property
    def places(self) -> list[Arrivals]:
        """Arrivals so far, in the description's order."""
        found: list[Arrivals] = []
        for target in self._targets:
            pollers = self._pollers.get(target.name)
            found += [poller.arrivals for poller in pollers] if pollers else [self._waiting[target.name]]
        return found

    def as_json(self) -> list[dict[str, Any]]:
        """Plain data for the page."""
        return [place.as_json() for place in self.places]

    def _look(self) -> float:
        for target in self._targets:
            place = self._waiting[target.name]
            try:
                if target.name not in self._pollers:
                    self._pollers[target.name] = pollers_of(target, self._service)
                for poller in self._pollers[target.name]:
                    place = poller.arrivals
                    place.problem = poller.poll() or ""
            except (ClientError, BotoCoreError) as error:
                place.problem = reason(error)[:300]
            except Exception as error:  # shown, as the thread must not die silently
                place.problem = f"{type(error).__name__}: {error}"[:300]
        return _LOOK_SECONDS

    def _service(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = self._client(name)
        return self._clients[name]
