"""Applications made on the page, on disk: a draft that can be edited, and versions that never change.

``STORE/NAME`` has ``application.json`` (title and form), ``draft.json`` and ``versions/N/``. A version has the files as
they were saved (``version.json``) and the folder that runs (``NAME/``). ``APPLICATIONS/NAME`` is a link to the newest
version's, so that every command finds it. Everything is written under a temporary name and then renamed, so a console
that is killed leaves the old content. A lock file per application works across several consoles.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from base.errors import KdaError
from workbench.atomic import read, write

Form = Literal["kda", "flink"]
_LOCK = threading.RLock()
_OLD_SECONDS = 3600.0


class StoreError(KdaError):
    """The application can't be read or changed; the message says why."""


class Conflict(StoreError):
    """The draft was changed by somebody else in between; `revision` is its current one."""

    def __init__(self, revision: int) -> None:
        super().__init__("the draft was changed elsewhere, perhaps in another tab: load it again")
        self.revision = revision


@dataclass(frozen=True)
class Version:
    """A saved version of the files; `time` is ISO 8601 in UTC."""

    number: int
    time: str
    note: str
    files: dict[str, str]

    def as_json(self, with_files: bool = True) -> dict[str, Any]:
        """Plain data."""
        found = asdict(self)
        if not with_files:
            del found["files"]
        return found


@dataclass(frozen=True)
class Draft:
    """The files that are being edited; if `is_draft` is False, those of the newest version."""

    files: dict[str, str]
    revision: int
    is_draft: bool


class Store:
    """The applications of one state folder.

    Parameters
    ----------
    folder : Path
        Holds drafts and versions.
    applications : Path
        Where the commands look for applications; gets a link for each.
    """

    def __init__(self, folder: Path, applications: Path) -> None:
        self.folder = folder
        self._applications = applications
        self._sweep()

    def names(self) -> list[str]:
        """Names of all applications, sorted."""
        return sorted(p.parent.name for p in self.folder.glob("*/application.json"))

    def __contains__(self, name: str) -> bool:
        # The name may come from a URL.
        return name.isidentifier() and (self.folder / name / "application.json").is_file()

    def about(self, name: str) -> tuple[str, Form]:
        """Title and form."""
        found = read(self.folder / name / "application.json")
        return str(found["title"]), found["form"]

    def create(self, name: str, title: str, form: Form, files: Mapping[str, str]) -> None:
        """Make an application with a draft.

        Raises
        ------
        StoreError
            An application of that name exists.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = {n.lower() for n in self.names()}
        if name.lower() in taken or (self._applications / name).exists():
            raise StoreError(f"application {name} exists already")
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            (new / "versions").mkdir()
            write(new / "draft.json", {"files": dict(files), "revision": 1})
            write(new / "application.json", {"title": title, "form": form})
            new.rename(self.folder / name)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise StoreError(f"application {name} exists already ({error.strerror})") from None

    def delete(self, name: str) -> None:
        """Remove an application with all its versions."""
        with self._locked(name):
            link = self._applications / name
            if link.is_symlink():
                link.unlink()
            (self.folder / ".properties" / f"{name}.json").unlink(missing_ok=True)
            gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=self.folder))
            (self.folder / name).rename(gone / name)
        shutil.rmtree(gone, ignore_errors=True)

    def draft(self, name: str) -> Draft:
        """The files that are being edited."""
        path = self.folder / name / "draft.json"
        if path.exists():
            found = read(path)
            if found["files"] is not None:
                return Draft(dict(found["files"]), int(found["revision"]), True)
            revision = int(found["revision"])
        else:
            revision = 0
        newest = self.newest(name)
        return Draft(newest.files if newest else {}, revision, False)

    def put_draft(self, name: str, files: Mapping[str, str], revision: int) -> int:
        """Store a draft, and return its new revision.

        Raises
        ------
        Conflict
            The draft's revision is not `revision`.
        """
        with self._locked(name):
            before = self.draft(name)
            if before.revision != revision:
                raise Conflict(before.revision)
            if before.files == dict(files) and before.is_draft:
                return before.revision
            write(self.folder / name / "draft.json", {"files": dict(files), "revision": revision + 1})
            return revision + 1

    def drop_draft(self, name: str) -> None:
        """Discard the draft; an application without a version keeps it."""
        with self._locked(name):
            if self.newest(name):
                revision = self.draft(name).revision + 1
                write(self.folder / name / "draft.json", {"files": None, "revision": revision})

    def rename(self, name: str, title: str) -> None:
        """Change the title."""
        with self._locked(name):
            write(self.folder / name / "application.json", {"title": title, "form": self.about(name)[1]})

    def properties(self, name: str) -> dict[str, str]:
        """Properties that an application starts with, beside its defaults: values by ``group.key``."""
        path = self.folder / ".properties" / f"{name}.json"
        return dict(read(path)) if path.exists() else {}

    def put_properties(self, name: str, assignments: Mapping[str, str]) -> None:
        """Store the properties for the next start."""
        path = self.folder / ".properties" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, dict(assignments))

    def versions(self, name: str) -> list[Version]:
        """All versions, newest first."""
        return [self.version(name, number) for number in sorted(self._numbers(name), reverse=True)]

    def version(self, name: str, number: int) -> Version:
        """The version of a number.

        Raises
        ------
        StoreError
            There is none.
        """
        try:
            return Version(**read(self._version(name, number) / "version.json"))
        except FileNotFoundError:
            raise StoreError(f"{name} has no version {number}") from None

    def newest(self, name: str) -> Version | None:
        """The newest version, which runs at the next start; None: there is none."""
        numbers = self._numbers(name)
        return self.version(name, max(numbers)) if numbers else None

    def save(
        self, name: str, files: Mapping[str, str], revision: int, note: str, make: Callable[[Path], None]
    ) -> int:
        """Save files as a new version, and return its number.

        Parameters
        ----------
        make : callable
            Called with an empty folder; writes the files that run into it. If it raises, nothing is saved.

        Raises
        ------
        Conflict
            The draft's revision is not `revision`.
        """
        with self._locked(name):
            before = self.draft(name)
            if before.revision != revision:
                raise Conflict(before.revision)
            versions = self.folder / name / "versions"
            number = max(self._numbers(name), default=0) + 1
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=versions))
            try:
                (new / name).mkdir()
                make(new / name)
                moment = datetime.now(UTC).isoformat(timespec="seconds")
                write(new / "version.json", asdict(Version(number, moment, note, dict(files))))
                new.rename(self._version(name, number))
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise
            write(self.folder / name / "draft.json", {"files": None, "revision": revision + 1})
        self.running_folder(name)
        return number

    def running_folder(self, name: str) -> Path | None:
        """Point the commands' link to the newest version, and return it; None: there is no version."""
        numbers = self._numbers(name)
        if not numbers:
            return None
        target = self._version(name, max(numbers)) / name
        link = self._applications / name
        with self._locked(name):
            if not link.is_symlink() and link.exists():
                raise StoreError(
                    f"{link}: an application that was not made on the page has this name: choose another"
                )
            if not link.is_symlink() or link.readlink() != target.resolve():
                self._applications.mkdir(parents=True, exist_ok=True)
                new = self.folder / f".new-link-{name}-{os.getpid()}-{threading.get_ident()}"
                new.unlink(missing_ok=True)
                new.symlink_to(target.resolve())
                new.replace(link)
        return link

    def number_of(self, name: str, folder: Path | None) -> int | None:
        """The number of the version that a folder belongs to; None: it is not a version's folder."""
        if folder is None or folder.name != name or not folder.parent.name.isdecimal():
            return None
        return int(folder.parent.name)

    def _sweep(self) -> None:
        """Remove what killed processes left; newer files may belong to a console that is still working."""
        for pattern in (".new-*", ".gone-*", "*/.new-*", "*/versions/.new-*"):
            for left in self.folder.glob(pattern):
                with contextlib.suppress(OSError):
                    if time.time() - left.lstat().st_mtime > _OLD_SECONDS:
                        left.unlink() if left.is_symlink() or left.is_file() else shutil.rmtree(left)

    def _numbers(self, name: str) -> list[int]:
        found = (self.folder / name / "versions").glob("[0-9]*/version.json")
        return [int(p.parent.name) for p in found if p.parent.name.isdecimal()]

    def _version(self, name: str, number: int) -> Path:
        return self.folder / name / "versions" / str(number)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        if name not in self:
            raise StoreError(f"no application {name} was made on the page")
        # flock holds between processes; threads of this one need a lock of their own.
        with _LOCK, (self.folder / f".{name}.lock").open("a") as lock:
            depth = _DEPTH.get(name, 0)
            if not depth:
                fcntl.flock(lock, fcntl.LOCK_EX)
            _DEPTH[name] = depth + 1
            try:
                yield
            finally:
                _DEPTH[name] = depth


#: How many times this process holds each application's lock; guarded by `_LOCK`.
_DEPTH: dict[str, int] = {}
