"""A job's savepoints and checkpoints on this machine, and the names of the operators whose state they hold."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.paths import FLINK


def savepoint_folder(job: str, folder: Path = FLINK) -> Path:
    """Folder of a job's savepoints."""
    return folder / "savepoints" / job


def last_state(job: str, folder: Path = FLINK) -> str | None:
    """The newest complete savepoint or retained checkpoint of a job, or None."""
    found = [p for kind in ("savepoints", "checkpoints") for p in (folder / kind / job).rglob("_metadata")]
    newest = max(found, key=lambda p: p.stat().st_mtime, default=None)
    return str(newest.parent) if newest else None


def remember_operators(job: str, names: Mapping[str, str], folder: Path = FLINK) -> None:
    """Store the names of a job's operators by id, as a savepoint has only the ids."""
    path = folder / "operators" / f"{job}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**_operators(path), **names}))


def lost_state(job: str, saved: Iterable[str], names: Mapping[str, str], folder: Path = FLINK) -> list[str]:
    """Names of operators with saved state that the job no longer has, so that their state would be dropped.

    Parameters
    ----------
    job : str
    saved : iterable of str
        Ids of the operators in the saved state.
    names : mapping
        Names of the job's operators by id, as it would run now.
    """
    known = _operators(folder / "operators" / f"{job}.json")
    lost = (known.get(id_, f"an unknown operator {id_[:8]}") for id_ in saved if id_ not in names)
    return sorted(name for name in lost if is_worth_keeping(name))


def is_worth_keeping(operator: str) -> bool:
    """Whether dropping an operator's state loses anything.

    Nothing is lost with the tap, whose rows are only shown, or the error stream's writer, which sends all its rows
    before each checkpoint.

    Examples
    --------
    >>> is_worth_keeping("tap[79]: Writer"), is_worth_keeping("GroupWindowAggregate(…)")
    (False, True)
    """
    return not re.match(r"(tap|error_stream)\[|OverAggregate\(partitionBy=\[relation\]", operator)


def known_operators(job: str, folder: Path = FLINK) -> dict[str, str]:
    """Names by id of the operators that a job has had at its starts."""
    return _operators(folder / "operators" / f"{job}.json")


def _operators(path: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(path.read_text()))
    return {}
