"""Operations on an application beside start and stop: its properties, its log, and a support bundle."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.controller import Controller
from console.jobs import LocalJob
from infra import flink
from infra.flink_rest import get
from infra.java import JavaError, java_home
from infra.paths import FLINK
from pipeline.property_list import properties_of
from pipeline.settings import SettingsError, override, settings
from workbench import safety

#: Groups that the engine and the console set themselves.
_HIDDEN = ("job", "aws", "tap", "errors")
_PACKAGES = ("apache-flink", "kda-on-flink", "numba", "boto3", "sqlglot", "pydantic")
_LOG_LINES, _FLINK_BYTES = 500, 200_000
_MOST_PROPERTIES = 200


def properties(controller: Controller, assigned: Mapping[str, str]) -> dict[str, Any]:
    """An application's property groups with their values."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for p in properties_of(controller.application):
        if p.group in _HIDDEN:
            continue
        entry = {
            "key": p.key,
            "value": assigned.get(f"{p.group}.{p.key}", p.default),
            "default": p.default,
            "set": f"{p.group}.{p.key}" in assigned,
            "type": "choice" if p.choices else p.kind,
            "choices": list(p.choices),
            "minimum": p.minimum,
            "maximum": p.maximum,
            "help": p.notes,
        }
        groups.setdefault(p.group, []).append({k: v for k, v in entry.items() if v not in (None, [])})
    return {"groups": [{"name": name, "properties": found} for name, found in groups.items()]}


def assigned(
    controller: Controller, given: object, started_with: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Check assignments that the page sent.

    Raises
    ------
    SettingsError
        A property is unknown, out of range, or may not be set here; one line for each.
    """
    if not isinstance(given, dict) or len(given) > _MOST_PROPERTIES:
        raise SettingsError('assignments: required {"group.key": "value"}')
    lines, found = [], {}
    for name, value in given.items():
        group, _, key = str(name).partition(".")
        if not isinstance(value, str) or not key.isidentifier() or len(value) > 1000:
            raise SettingsError(f"{str(name)[:80]}: required group.key, and text as its value")
        if value == "":
            continue
        if reason := safety.assignment(group, key, value):
            lines.append(reason)
        found[f"{group}.{key}"] = value
    if lines:
        raise SettingsError("\n".join(lines))
    settings(controller.application, override(started_with, [f"{k}={v}" for k, v in found.items()]))
    return found


def log(controller: Controller) -> dict[str, Any]:
    """The last lines that the job's process printed, and why it failed, if it did."""
    view = controller.job.view
    lines = controller.job.lines() if isinstance(controller.job, LocalJob) else []
    return {"lines": lines[-_LOG_LINES:], "failure": view.trouble or view.health.reason}


def bundle(controller: Controller, files: Mapping[str, str], assignments: Mapping[str, str]) -> bytes:
    """A zip for support: versions, files, settings, plan, state, last errors, log.

    It has no records except those in the error stream, and no credentials or environment variables.
    """
    made = io.BytesIO()
    application = controller.application
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, what: Callable[[], str]) -> None:
            try:
                text = what()
            except Exception as error:  # the bundle has the error instead of the missing part
                text = f"not available: {type(error).__name__}: {error}"
            archive.writestr(f"{application.name}/{name}", text)

        put("versions.json", lambda: json.dumps(_versions(), indent=2))
        for name, text in files.items():
            archive.writestr(f"{application.name}/files/{name}", text)
        for path in sorted(application.folder.iterdir()):
            if path.suffix in (".sql", ".yaml", ".md"):
                put(f"running/{path.name}", lambda path=path: path.read_text(encoding="utf-8"))  # type: ignore[misc]
        put("properties.json", lambda: json.dumps(properties(controller, assignments), indent=2))
        put("job.json", lambda: json.dumps(controller.job.view.as_json(), indent=2, default=str))
        put("plan.json", lambda: json.dumps(_of_job(controller, "plan"), indent=2))
        put("exceptions.json", lambda: json.dumps(_of_job(controller, "exceptions"), indent=2))
        put("checkpoints.json", lambda: json.dumps(_of_job(controller, "checkpoints"), indent=2))
        put("errors.json", lambda: json.dumps(controller.snapshot("")["errors"], indent=2))
        put("log.txt", lambda: "\n".join(log(controller)["lines"]))
        put("flink.log", lambda: _tail(_newest(FLINK / "log")))
    return made.getvalue()


def _versions() -> dict[str, Any]:
    found: dict[str, Any] = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    try:
        found["java"] = java_home().name
    except JavaError as error:
        found["java"] = str(error)
    return found


def _of_job(controller: Controller, what: str) -> Any:
    running = flink.running(controller.application.name)
    if running is None:
        return "the job does not run here"
    return get(f"{running.rest}/jobs/{running.job_id}/{what}")


def _newest(folder: Path) -> Path:
    return max(folder.glob("*.log"), key=lambda p: p.stat().st_mtime)


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _FLINK_BYTES))
        return file.read().decode("utf-8", errors="replace")
