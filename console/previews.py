"""Previews: a draft that runs on the live stream with its destinations off, without changing anything saved.

A preview is a separate application, ``NAME_preview``, with its own job, tap stream and error stream and without saved
state. It ends when it is stopped or with the console, and then everything of it is deleted.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from console.controller import Controller
from console.jobs import LocalJob
from console.streams import Streams
from infra.paths import FLINK
from pipeline.application import DESCRIPTION, Application, read
from pipeline.document import load
from workbench.checked import Checked
from workbench.store import StoreError

#: Each preview runs a JVM.
MOST_PREVIEWS = 2
_SUFFIX = "_preview"
#: Keys of a description that a preview leaves out: names of its streams, and senders.
_LEFT_OUT = ("errors", "taps", "senders")

#: Makes a job from an application and properties ``group.key=value``.
MakeJob = Callable[[Application, Sequence[str]], LocalJob]


class Previews:
    """The previews of a console.

    Parameters
    ----------
    client : callable
        Makes a boto3 client from a service's name.
    folder : Path
        Holds their files while they run.
    make : callable or None
        Makes the job of a preview; None: this console can't run previews.
    """

    def __init__(self, client: Callable[[str], Any], folder: Path, make: MakeJob | None) -> None:
        self._client = client
        self._folder = folder
        self._make = make
        self._running: dict[str, Controller] = {}
        self._lock = threading.RLock()

    def start(self, name: str, checked: Checked, groups: Mapping[str, Mapping[str, str]]) -> None:
        """Run checked files; an earlier preview of the application is stopped.

        Raises
        ------
        StoreError
            Previews are not possible, too many run, or a stream that it reads does not exist.
        """
        if self._make is None:
            raise StoreError("a preview requires a local AWS: start one with `kda local up`")
        with self._lock:
            self.stop(name)
            if len(self._running) >= MOST_PREVIEWS:
                raise StoreError(f"previews of {' and '.join(self._running)} run already: stop one first")
            folder = self._folder / name / f"{name}{_SUFFIX}"
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
            for file, text in previewed(checked.folder).items():
                (folder / file).write_text(text, encoding="utf-8")
            application = read(folder)
            given = [
                f"{group}.{key}={value}" for group, keys in groups.items() for key, value in keys.items()
            ]
            controller = Controller(application, self._client, self._make(application, given), groups)
            try:
                self._make_streams(controller, application)
            except BaseException:
                controller.close()
                raise
            self._running[name] = controller
            controller.job.start(resume=False)

    def stop(self, name: str) -> None:
        """Stop a preview, if it runs, and delete its files, state and streams."""
        with self._lock:
            controller = self._running.pop(name, None)
            if controller is None:
                return
            assert isinstance(controller.job, LocalJob)
            controller.job.discard()
            controller.close()
            controller.job.log.unlink(missing_ok=True)
            own = controller.application.name
            for kind in ("savepoints", "checkpoints"):
                shutil.rmtree(FLINK / kind / own, ignore_errors=True)
            for path in (f"running/{own}.json", f"running/{own}.lock", f"operators/{own}.json"):
                (FLINK / path).unlink(missing_ok=True)
            shutil.rmtree(self._folder / name, ignore_errors=True)
            kinesis = self._client("kinesis")
            for stream in (controller.application.tap_stream, controller.application.error_stream):
                with contextlib.suppress(ClientError, BotoCoreError):
                    kinesis.delete_stream(StreamName=stream)

    def of(self, name: str) -> Controller | None:
        """The controller of an application's preview; None: there is none."""
        return self._running.get(name)

    def close(self) -> None:
        """Stop all previews."""
        for name in list(self._running):
            self.stop(name)

    def _make_streams(self, controller: Controller, application: Application) -> None:
        kinesis, streams = self._client("kinesis"), Streams(self._client)
        for source in controller.found.sources:
            if source.is_stream:
                try:
                    kinesis.describe_stream_summary(StreamName=source.resource)
                except ClientError:
                    raise StoreError(
                        f"required stream {source.resource}, which does not exist: create it first"
                    ) from None
        for stream in (application.tap_stream, application.error_stream):
            streams.create(stream)


def previewed(files: Mapping[str, str]) -> dict[str, str]:
    """The files of an application as its preview runs them: destinations off, with its own streams.

    Examples
    --------
    >>> print(previewed({"application.yaml": "taps: t\\ndestinations: [{of: a, type: kinesis, stream: s}]"})[
    ...     "application.yaml"])
    destinations:
    - of: a
      type: none
    <BLANKLINE>
    """
    tree = load(files[DESCRIPTION])
    for destination in tree.get("destinations") or ():
        for key in list(destination):
            if key not in ("of", "name", "type"):
                del destination[key]
        destination["type"] = "none"
    for key in _LEFT_OUT:
        tree.pop(key, None)
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)
    return {**files, DESCRIPTION: text}
