"""Actions on the applications of a console: create, edit, check, plan, preview, save."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console import operations
from console.applications import Applications
from discovery.sampling import landing_of
from infra import flink, saved_state
from infra.paths import FLINK
from pipeline.application import DESCRIPTION
from pipeline.settings import override
from workbench import description, effect, uploads
from workbench.checked import Checked, check, written
from workbench.names import NameRefused, application_name, files_of, is_file_of_application, stream_name
from workbench.problems import Refused
from workbench.store import Form, StoreError

#: Lines of a description that a copy must not have: names of the error stream and the tap stream.
_OWN_STREAMS = re.compile(r"^(?:errors|taps):.*\n?", re.MULTILINE)


class Workbench(Applications):
    """The applications of a console, and the actions on those made on its page."""

    def document(self, name: str) -> dict[str, Any]:
        """An application's files, draft and versions."""
        found: dict[str, Any] = {"name": name, "origin": "", "form": "flink", "migration": None}
        if name not in self.store:
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
        title, form = self.store.about(name)
        draft, versions = self.store.draft(name), self.store.versions(name)
        folder = self.store.running_folder(name)
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
            "running_version": self.store.number_of(name, runs),
            "versions": [version.as_json(with_files=False) for version in versions],
            "migration": _text(folder / "MIGRATION.md") if folder else None,
        }
        return found

    def create(self, name: object, title: object, origin: object) -> dict[str, Any]:
        """Create an application from SQL, a description, another application or a stream; return its problems too."""
        chosen = application_name(name)
        taken = {n.lower() for n in self.names()}
        if chosen.lower() in taken:
            raise StoreError(f"application {chosen} exists already")
        if title is not None and not isinstance(title, str):
            raise NameRefused("title: required text")
        if not isinstance(origin, dict):
            raise NameRefused("from: required kind, one of sql, description, copy, stream")
        form, files = self._begun(origin)
        shown = (title or chosen).strip()[:200] or chosen
        self.store.create(chosen, shown, form, files_of(files))
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
            described = uploads.uploaded(str(origin.get("filename")), str(origin.get("text")))
            files = uploads.files_of(described)
            return "kda", uploads.landings(files, lambda name: landing_of(self.client("firehose"), name))
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
        return "kda", uploads.files_of_sql(sql, named, schema)

    def delete(self, name: str) -> None:
        """Delete an application made on the page, with its versions and its saved state."""
        with self._lock:
            self._own(name)
            controller = self.controllers.get(name)
            if controller is not None and (controller.runs or controller.job.view.asked):
                raise StoreError(f"{name} runs: stop it first")
            self.previews.stop(name)
            self.backtests.stop(name)
            self.store.delete(name)
            self._shown.pop(name, None)
            self.controllers.pop(name, None)
        if controller is not None:
            controller.close()
        for kind in ("savepoints", "checkpoints"):
            shutil.rmtree(FLINK / kind / name, ignore_errors=True)

    def put_draft(self, name: str, files: object, revision: object) -> int:
        """Store a draft, and return its new revision."""
        self._own(name)
        self.standby.warm()
        return self.store.put_draft(name, files_of(files), _revision(revision))

    def drop_draft(self, name: str) -> None:
        """Discard the draft, back to the newest version."""
        self._own(name)
        self.store.drop_draft(name)

    def check(self, name: str, files: object) -> Checked:
        """Check files without Flink."""
        if name not in self.store:
            self.controller(name)
        title = self.store.about(name)[0] if name in self.store else name
        return check(name, title, self.form(name), files_of(files))

    def changes(self, name: str, checked: Checked) -> list[dict[str, str]]:
        """How checked files change the relations of the newest version."""
        if checked.application is None:
            return []
        controller = self.controllers.get(name)
        return effect.relations(controller.application if controller else None, checked.application)

    def plan(self, name: str, files: object) -> tuple[Checked, dict[str, Any]]:
        """Plan files with Flink: columns, and the effect on saved state. Takes seconds; raises `Refused` for errors."""
        found = self.check(name, files)
        if not found.folder:
            raise Refused(found.problems)
        planned = self.standby.plan(name, found, description.SQL if self.form(name) == "kda" else DESCRIPTION)
        known = saved_state.known_operators(name) | planned["operators"]
        saved = planned["saved"]
        steps = [
            {
                "name": known.get(id_, f"an unknown step {id_[:8]}"),
                "effect": "kept" if id_ in planned["operators"] else "dropped",
            }
            for id_ in saved
            if id_ in planned["operators"] or saved_state.is_worth_keeping(known.get(id_, ""))
        ]
        kept, lost = ([s["name"] for s in steps if s["effect"] == e] for e in ("kept", "dropped"))
        state = {
            "summary": effect.summary(kept, lost, bool(saved)),
            "steps": steps,
            "relations": self.changes(name, found),
        }
        columns = planned["relations"]
        relations = [
            r | {"columns": [{"name": n, "type": t} for n, t in columns[r["name"]].items()]}
            if r["name"] in columns and not r["columns"]
            else r
            for r in found.relations
        ]
        return found, {"relations": relations, "state": state}

    def save(self, name: str, files: object, revision: object, note: object, leave_out: bool = False) -> int:
        """Save a version, which runs at the next start; raises `Refused` for files with errors.

        Parameters
        ----------
        leave_out : bool
            Accept a program whose only errors are pumps that can't be translated; they are left out.
        """
        self._own(name)
        kept = files_of(files)
        found = check(name, *self.store.about(name), kept)
        if found.errors and not (leave_out and found.folder):
            raise Refused(found.problems)
        text = note.strip()[:500] if isinstance(note, str) else ""
        number = self.store.save(name, kept, _revision(revision), text, lambda folder: written(found, folder))
        self.refresh(name)
        return number

    def assign(self, name: str, given: object) -> None:
        """Store properties for an application's next start; raises ``SettingsError``."""
        controller = self.controller(name)
        kept = self.store.properties(name)
        own = {f"{g}.{k}": v for g, keys in self.groups(name).items() for k, v in keys.items()}
        started_with = override({}, [f"{k}={v}" for k, v in own.items() if kept.get(k) != v])
        self.store.put_properties(name, operations.assigned(controller, given, started_with))
        if not controller.runs:
            controller.take(controller.application, self.groups(name))

    def preview(self, name: str, files: object, leave_out: bool = False) -> None:
        """Run files on the live stream with the destinations off; raises `Refused` as :meth:`save` does."""
        found = self.check(name, files)
        if found.errors and not (leave_out and found.folder):
            raise Refused(found.problems)
        groups = {g: v for g, v in self.groups(name).items() if g not in _destinations_of(found)}
        self.previews.start(name, found, groups)

    def _own(self, name: str) -> None:
        if name not in self.store:
            self.controller(name)
            raise StoreError(f"{name} was not made on the page: duplicate it to change it")


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
