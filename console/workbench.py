"""The applications of a console: the project's, those that were named, and those that are made on its page."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from console import operations
from console.controller import Controller
from console.previews import Previews
from infra import flink
from pipeline.application import Application, read
from pipeline.catalog import JOBS
from pipeline.settings import override
from workbench import description
from workbench.checked import Checked, check, written
from workbench.names import NameRefused, application_name, files_of, is_file_of_application, stream_name
from workbench.problems import Refused
from workbench.shelf import Form, Shelf, ShelfError

#: What another application's copy must not share with it: streams of its own errors and taps.
_OWN_STREAMS = re.compile(r"^(?:errors|taps):.*\n?", re.MULTILINE)


class Unknown(LookupError):
    """There is no application of that name."""


class Workbench:
    """Applications by name, and what can be done to those that are made here.

    Parameters
    ----------
    controllers : dict
        Of the applications that the console was started with.
    shelf : Shelf
    client : callable
        Makes a boto3 client from a service's name.
    make : callable
        Makes the controller of an application.
    groups : callable
        The property groups that an application of that name is started with.
    previews : Previews or None
        None: there can be none.
    """

    def __init__(
        self,
        controllers: dict[str, Controller],
        shelf: Shelf,
        client: Callable[[str], Any],
        make: Callable[[Application], Controller],
        groups: Callable[[str], Mapping[str, Mapping[str, str]]] = lambda name: {},
        previews: Previews | None = None,
    ) -> None:
        self.controllers = controllers
        self.shelf = shelf
        self.client = client
        self.previews = previews or Previews(client, shelf.folder / ".previews", None)
        self._make = make
        self._groups = groups
        self._shown: dict[str, int] = {}
        self._lock = threading.RLock()

    def names(self) -> list[str]:
        """Of all applications; those made here come last, saved or not."""
        own = self.shelf.names()
        for name in own:
            self.refresh(name)
        with self._lock:
            for gone in [n for n in self._shown if n not in own]:
                self._shown.pop(gone)
                self.controllers.pop(gone).close()
            return [*(n for n in self.controllers if n not in own), *own]

    def refresh(self, name: str) -> None:
        """Show the newest version of an application made here, unless an older one runs."""
        with self._lock:
            newest = self.shelf.newest(name)
            if newest is None or self._shown.get(name) == newest.number:
                return
            controller = self.controllers.get(name)
            if controller is not None and controller.runs and name in self._shown:
                return
            folder = self.shelf.running_folder(name)
            assert folder is not None
            application = read(folder)
            if controller is None:
                self.controllers[name] = self._make(application)
            else:
                controller.take(application, self._groups(name))
            self._shown[name] = newest.number

    def controller(self, name: str) -> Controller:
        """The controller of an application that was saved, or came with the console."""
        if name in self.shelf:
            self.refresh(name)
        try:
            return self.controllers[name]
        except KeyError:
            if name in self.shelf:
                raise ShelfError(f"{name} was never saved: there is nothing to run yet") from None
            raise Unknown(f"application must be one of {', '.join(self.names())}") from None

    def described(self) -> Iterator[dict[str, Any]]:
        """Every application, as the page lists it."""
        for name in self.names():
            about = {"origin": self.origin(name), "form": self.form(name)}
            controller = self.controllers.get(name)
            if controller is not None:
                yield controller.described() | about
            else:
                title = self.shelf.about(name)[0]
                yield {
                    "name": name,
                    "title": title,
                    "label": title,
                    "errors": "error_stream",
                    "flow": {"stages": [], "edges": []},
                    "problem": "",
                    "running": False,
                } | about

    def origin(self, name: str) -> str:
        """``own``, ``example`` or ``folder``."""
        if name in self.shelf:
            return "own"
        folder = self.controllers[name].application.folder
        return "example" if folder.resolve().parent == JOBS.resolve() else "folder"

    def form(self, name: str) -> Form:
        """What its files are."""
        return self.shelf.about(name)[1] if name in self.shelf else "flink"

    def document(self, name: str) -> dict[str, Any]:
        """An application's files, draft and versions."""
        found: dict[str, Any] = {"name": name, "origin": "", "form": "flink", "migration": None}
        if name not in self.shelf:
            application = self.controller(name).application
            return {
                "name": name,
                "title": application.title,
                "form": "flink",
                "origin": self.origin(name),
                "editable": False,
                "files": _files(application.folder),
                "draft": False,
                "revision": 0,
                "saved": None,
                "running_version": None,
                "versions": [],
                "migration": _text(application.folder / "MIGRATION.md"),
            }
        self.refresh(name)
        title, form = self.shelf.about(name)
        draft, versions = self.shelf.draft(name), self.shelf.versions(name)
        folder = self.shelf.running_folder(name)
        controller = self.controllers.get(name)
        runs = flink.started_here().get(name) if controller and controller.runs else None
        found |= {
            "title": title,
            "form": form,
            "origin": "own",
            "editable": True,
            "files": draft.files,
            "draft": draft.is_draft,
            "revision": draft.revision,
            "saved": {"number": versions[0].number, "time": versions[0].time} if versions else None,
            "running_version": self.shelf.number_of(name, runs),
            "versions": [version.as_json(with_files=False) for version in versions],
            "migration": _text(folder / "MIGRATION.md") if folder else None,
        }
        return found

    def create(self, name: object, title: object, origin: object) -> dict[str, Any]:
        """Make an application of SQL, a description, another application or a stream; what is wrong with it is told."""
        chosen = application_name(name)
        taken = {n.lower() for n in self.names()}
        if chosen.lower() in taken:
            raise ShelfError(f"there is an application {chosen} already")
        if title is not None and not isinstance(title, str):
            raise NameRefused("title: required text")
        if not isinstance(origin, dict):
            raise NameRefused("from: required kind, one of sql, description, copy, stream")
        form, files = self._begun(origin)
        shown = (title or chosen).strip()[:200] or chosen
        self.shelf.create(chosen, shown, form, files_of(files))
        found = check(chosen, shown, form, files)
        problems = [p.as_json() for p in found.problems]
        return {"name": chosen, "migration": found.migration or None, "problems": problems}

    def _begun(self, origin: Mapping[str, Any]) -> tuple[Form, dict[str, str]]:
        kind = origin.get("kind")
        if kind == "copy":
            copied = str(origin.get("application"))
            found = self.document(copied)
            files = dict(found["files"])
            if "application.yaml" in files:
                files["application.yaml"] = _OWN_STREAMS.sub("", files["application.yaml"])
            return found["form"], files
        if kind == "description":
            described = description.uploaded(str(origin.get("filename")), str(origin.get("text")))
            return "kda", description.files_of(described)
        if kind not in ("sql", "stream"):
            raise NameRefused("from.kind: must be one of sql, description, copy, stream")
        stream = origin.get("stream")
        schema = origin.get("schema")
        if isinstance(schema, dict):
            schema = schema.get("InputSchema", schema)
        sql = origin.get("sql") if kind == "sql" else ""
        if not isinstance(sql, str):
            raise NameRefused("from.sql: required text")
        named = stream_name(stream) if stream else None
        return "kda", description.files_of_sql(sql, named, schema)

    def delete(self, name: str) -> None:
        """Remove an application made here, with its versions and its saved state."""
        with self._lock:
            self._own(name)
            controller = self.controllers.get(name)
            if controller is not None and (controller.runs or controller.job.view.asked):
                raise ShelfError(f"{name} runs: stop it first")
            self.shelf.delete(name)
            self._shown.pop(name, None)
            self.controllers.pop(name, None)
        if controller is not None:
            controller.close()
        for kind in ("savepoints", "checkpoints"):
            shutil.rmtree(flink.FLINK / kind / name, ignore_errors=True)

    def put_draft(self, name: str, files: object, revision: object) -> int:
        """Keep a draft, and return its revision."""
        self._own(name)
        return self.shelf.put_draft(name, files_of(files), _revision(revision))

    def drop_draft(self, name: str) -> None:
        """Go back to what was saved last."""
        self._own(name)
        self.shelf.drop_draft(name)

    def check(self, name: str, files: object) -> Checked:
        """What is wrong with files, as far as it can be told without Flink."""
        if name not in self.shelf:
            self.controller(name)
        title = self.shelf.about(name)[0] if name in self.shelf else name
        return check(name, title, self.form(name), files_of(files))

    def save(self, name: str, files: object, revision: object, note: object) -> int:
        """Make a version that runs at the next start; raises `Refused` for files with errors."""
        self._own(name)
        kept = files_of(files)
        found = check(name, *self.shelf.about(name), kept)
        if found.errors:
            raise Refused(found.problems)
        text = note.strip()[:500] if isinstance(note, str) else ""
        number = self.shelf.save(name, kept, _revision(revision), text, lambda folder: written(found, folder))
        self.refresh(name)
        return number

    def assign(self, name: str, given: object) -> None:
        """Keep properties for the next start of an application; raises ``SettingsError``."""
        controller = self.controller(name)
        kept = self.shelf.properties(name)
        own = {f"{g}.{k}": v for g, keys in self._groups(name).items() for k, v in keys.items()}
        started_with = override({}, [f"{k}={v}" for k, v in own.items() if kept.get(k) != v])
        self.shelf.put_properties(name, operations.assigned(controller, given, started_with))
        if not controller.runs:
            controller.take(controller.application, self._groups(name))

    def preview(self, name: str, files: object) -> None:
        """Run files on the live stream with the destinations off; raises `Refused` for files with errors."""
        found = self.check(name, files)
        if found.errors:
            raise Refused(found.problems)
        groups = {g: v for g, v in self._groups(name).items() if g not in _destinations_of(found)}
        self.previews.start(name, found, groups)

    def shown(self, name: str, preview: bool) -> Controller:
        """The controller of an application, or of its preview."""
        if not preview:
            return self.controller(name)
        found = self.previews.of(name)
        if found is None:
            raise Unknown(f"no preview of {name} runs")
        return found

    def close(self) -> None:
        """End everything that was started here, each job with a savepoint."""
        self.previews.close()
        for controller in list(self.controllers.values()):
            controller.close()

    def _own(self, name: str) -> None:
        if name not in self.shelf:
            self.controller(name)
            raise ShelfError(f"{name} was not made on the page: duplicate it to change it")


def _destinations_of(checked: Checked) -> set[str]:
    return {d.name for d in checked.application.destinations} if checked.application else set()


def _revision(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise NameRefused(f"revision: required a number, got {str(value)[:40]!r}")
    return value


def _files(folder: Path) -> dict[str, str]:
    return {
        p.name: p.read_text(encoding="utf-8")
        for p in sorted(folder.iterdir())
        if is_file_of_application(p.name)
    }


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
