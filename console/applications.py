"""The applications of a console: those it was started with, and those made on its page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from base.errors import KdaError
from console.backtests import Backtests
from console.controller import Controller
from console.deployments import Deployments
from console.previews import Previews
from console.standby import Standby
from pipeline.application import Application, ApplicationError, read
from pipeline.catalog import JOBS
from workbench.store import Form, Store, StoreError


class Unknown(KdaError, LookupError):
    """There is no application of that name."""


class Applications:
    """Applications by name.

    Parameters
    ----------
    controllers : dict
        Controllers of the applications that the console was started with, by name.
    store : Store
    client : callable
        Makes a boto3 client from a service's name.
    make : callable
        Makes the controller of an application.
    groups : callable
        Returns the property groups that an application starts with, by its name.
    previews : Previews or None
        None: previews are not possible.
    standby : Standby or None
        None: use one that only plans.
    deployments : Deployments or None
        None: deployments are not possible.
    """

    def __init__(
        self,
        controllers: dict[str, Controller],
        store: Store,
        client: Callable[[str], Any],
        make: Callable[[Application], Controller],
        groups: Callable[[str], Mapping[str, Mapping[str, str]]] = lambda name: {},
        previews: Previews | None = None,
        standby: Standby | None = None,
        deployments: Deployments | None = None,
    ) -> None:
        self.controllers = controllers
        self.store = store
        self.client = client
        self.previews = previews or Previews(client, store.folder / ".previews", None)
        self.standby = standby or Standby()
        self.deployments = deployments or Deployments(store.folder / ".deployments", None)
        self.backtests = Backtests(client)
        self._make = make
        self.groups = groups
        #: Why the newest version of an application can't be read.
        self.broken: dict[str, str] = {}
        self._shown: dict[str, int] = {}
        self._lock = threading.RLock()

    def names(self) -> list[str]:
        """Names of all applications; those made on the page come last, saved or not."""
        own = self.store.names()
        for name in own:
            self.refresh(name)
        with self._lock:
            for gone in [n for n in self._shown if n not in own]:
                self._shown.pop(gone)
                self.controllers.pop(gone).close()
            return [*(n for n in self.controllers if n not in own), *own]

    def refresh(self, name: str, whatever_runs: bool = False) -> None:
        """Show the newest version of an application made on the page, unless an older one runs."""
        with self._lock:
            newest = self.store.newest(name)
            if newest is None or self._shown.get(name) == newest.number:
                return
            controller = self.controllers.get(name)
            if controller is not None and controller.runs and name in self._shown and not whatever_runs:
                return
            folder = self.store.running_folder(name)
            assert folder is not None
            try:
                application = read(folder)
            except ApplicationError as error:  # perhaps saved by another version of the console
                self.broken[name] = str(error)
                return
            self.broken.pop(name, None)
            if controller is None:
                self.controllers[name] = self._make(application)
            else:
                controller.take(application, self.groups(name))
            self._shown[name] = newest.number

    def started(self, name: str) -> None:
        """Show what was just started: the newest version, with the properties that it was started with."""
        with self._lock:
            if name in self.store:
                self.refresh(name, whatever_runs=True)
            controller = self.controllers.get(name)
            if controller is not None and controller.groups != (groups := self.groups(name)):
                controller.take(controller.application, groups)

    def controller(self, name: str) -> Controller:
        """The controller of an application that was saved, or came with the console."""
        if name in self.store:
            self.refresh(name)
        try:
            return self.controllers[name]
        except KeyError:
            if name in self.broken:
                raise StoreError(f"{name} can't be read: {self.broken[name]}") from None
            if name in self.store:
                raise StoreError(f"{name} was never saved: save it first") from None
            raise Unknown(f"application must be one of {', '.join(self.names())}") from None

    def described(self) -> Iterator[dict[str, Any]]:
        """The entries of the page's list of applications."""
        for name in self.names():
            about: dict[str, Any] = {"origin": self.origin(name), "form": self.form(name)}
            if about["origin"] == "own":
                about["draft"] = self.store.draft(name).is_draft
            controller = self.controllers.get(name)
            if controller is not None:
                yield controller.described() | about
            elif name in self.store:
                title = self.store.about(name)[0]
                yield {
                    "name": name,
                    "title": title,
                    "label": title,
                    "errors": "error_stream",
                    "flow": {"stages": [], "edges": []},
                    "problem": self.broken.get(name, ""),
                    "running": False,
                } | about

    def origin(self, name: str) -> str:
        """``own`` (made on the page), ``example`` (of the project) or ``folder``."""
        controller = self.controllers.get(name)
        if name in self.store or controller is None:
            return "own"
        folder = controller.application.folder
        return "example" if folder.resolve().parent == JOBS.resolve() else "folder"

    def form(self, name: str) -> Form:
        """The SQL that its files are written in."""
        return self.store.about(name)[1] if name in self.store else "flink"

    def shown(self, name: str, preview: bool) -> Controller:
        """The controller of an application, or of its preview."""
        if not preview:
            return self.controller(name)
        found = self.previews.of(name)
        if found is None:
            raise Unknown(f"no preview of {name} runs")
        return found
