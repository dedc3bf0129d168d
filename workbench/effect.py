"""The effect of a change on an application's relations and their saved state, shown before it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.application import Application

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def relations(before: Application | None, after: Application) -> list[dict[str, str]]:
    """Compare two versions: ``name``, ``effect`` (``same``, ``changed``, ``new`` or ``dropped``), ``why`` per relation.

    Parameters
    ----------
    before : Application or None
        The newest saved version; None: there is none.
    after : Application
    """
    old, new = (_definitions(before) if before else {}), _definitions(after)
    changed: dict[str, str] = {}
    reads = {r.name: r.inputs(after.queries) for r in after.relations}
    for name, definition in new.items():
        if name in old and old[name] != definition:
            changed[name] = "its columns or where it reads" if name in after.sources else "its own definition"
        elif through := next(
            (i for i in reads.get(name, ()) if i in changed or (old and i not in old)), None
        ):
            changed[name] = f"what it reads: {through}"
    found = []
    for name in new:
        effect = "new" if name not in old else "changed" if name in changed else "same"
        found.append(
            {"name": name, "effect": effect, "why": changed.get(name, "") if effect == "changed" else ""}
        )
    return found + [{"name": name, "effect": "dropped", "why": ""} for name in old if name not in new]


def summary(kept: Sequence[str], lost: Sequence[str], has_state: bool) -> str:
    """Say in one sentence what happens to saved state.

    Examples
    --------
    >>> summary(["a", "b"], [], True), summary([], [], False)
    ('All saved state is kept: 2 steps.', 'There is no saved state yet.')
    """
    if not has_state:
        return "There is no saved state yet."
    if not lost:
        return f"All saved state is kept: {_steps(len(kept))}."
    if not kept:
        return f"No saved state fits any more: {_steps(len(lost))} start without state."
    return f"The state of {_steps(len(lost))} is dropped, that of {_steps(len(kept))} is kept."


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _definitions(application: Application) -> dict[str, Any]:
    """What defines each relation, without comments and notes."""
    found: dict[str, Any] = {
        name: source.model_dump(exclude={"note", "position"}) for name, source in application.sources.items()
    }
    for relation in application.relations:
        query = _plain(application.queries, relation.name)
        found[relation.name] = (relation.kind, relation.model_dump(exclude={"note"}), query)
    return found


def _plain(queries: Mapping[str, str], name: str) -> str:
    return " ".join(_COMMENT.sub(" ", queries.get(name, "")).split())
