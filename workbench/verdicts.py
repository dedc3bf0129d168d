"""How a KDA program was translated, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kda_sql.translate import Translation


def statements_of(translation: Translation) -> list[dict[str, Any]]:
    """How each statement was translated: ``name``, ``kind``, ``line``, ``verdict``, ``notes``."""
    plan, program = translation.plan, translation.program
    found = [
        {
            "name": pump.name,
            "kind": "pump",
            "line": pump.statement.line,
            "verdict": _verdict(translation, pump.name),
            "notes": list(plan.notes.get(pump.name) or ()),
        }
        for pump in program.pumps
    ]
    found += [
        {
            "name": stream.name,
            "kind": "stream",
            "line": stream.statement.line,
            "verdict": "not translated" if stream.name in plan.lost else "same",
            "notes": ["not filled by any pump: no rows"] if stream.name in plan.empty else [],
        }
        for stream in program.streams.values()
    ]
    found += [
        {
            "name": " ".join(statement.text.split())[:60],
            "kind": "statement",
            "line": statement.line,
            "verdict": "not translated",
            "notes": [why],
        }
        for statement, why in program.left_out
    ]
    return sorted(found, key=lambda s: (s["line"], s["name"]))


def _verdict(translation: Translation, pump: str) -> str:
    if pump in translation.plan.refused:
        return "not translated"
    return "same but" if translation.plan.notes.get(pump) else "same"


def relations_of(translation: Translation) -> list[dict[str, Any]]:
    """Sources, reference tables and streams of a program: ``name``, ``kind``, ``columns``."""

    def columns(types: Mapping[str, Any]) -> list[dict[str, str]]:
        return [{"name": name, "type": str(type_)} for name, type_ in types.items()]

    found = [
        {"name": name, "kind": "source", "columns": columns(r.columns)}
        for name, r in translation.sources.items()
    ]
    found += [
        {"name": name, "kind": "reference", "columns": columns(r.columns)}
        for name, r in translation.references.items()
    ]
    found += [
        {"name": name, "kind": "stream", "columns": columns(stream.columns)}
        for name, stream in translation.program.streams.items()
    ]
    return found
