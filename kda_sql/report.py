"""MIGRATION.md: what became of each statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kda_sql.program import fold

if TYPE_CHECKING:
    from kda_sql.translate import Translation

_ALWAYS = (
    "**Time.** ROWTIME is the time of arrival at the stream, not of arrival in the application. Windows so hold the "
    "same rows however late or fast they are read; a replay gives the same rows again.",
    "**Emission.** A row that looks back (OVER) comes when nothing earlier can come any more, not at once: some "
    "tenths of a second later on a stream that flows, up to `source.idle_timeout` behind one that falls silent.",
    "**State.** Windows and forests are kept over stops and failures; KDA forgot its forests at each restart.",
    "**Numbers.** An integer that is too large for its column wraps around where SQL computes it; inputs are checked.",
)


def report(translation: Translation) -> str:
    """The whole text."""
    plan, program = translation.plan, translation.program
    lines = [f"# {translation.described.name}: from KDA SQL to Flink", ""]
    lines += [
        f"{summary(translation)} is said below.",
        "",
        "## Statements",
        "",
        "| line | statement | became | how |",
        "| --- | --- | --- | --- |",
    ]
    entries: list[tuple[int, tuple[str, str, str]]] = []
    for stream in program.streams.values():
        name = plan.streams.get(stream.name, "")
        how = "not filled by any pump: no rows" if stream.name in plan.empty else "same"
        entries.append((stream.statement.line, (f"stream `{stream.name}`", f"`{name}`", how)))
    for pump in program.pumps:
        made = ", ".join(f"`{n}`" for n in plan.relations.get(pump.name, ()))
        notes = plan.notes.get(pump.name) or []
        how = f"same, but {'; '.join(notes)}" if notes else "same"
        into = fold(pump.into)
        entries.append((pump.statement.line, (f"pump `{pump.name}` into `{into}`", made, how)))
    for statement, why in program.left_out:
        words = " ".join(statement.text.split())[:60]
        entries.append((statement.line, (f"`{words}`", "", f"not translated: {why}")))
    lines += [f"| {line} | {' | '.join(map(_cell, cells))} |" for line, cells in sorted(entries)]
    if translation.notes:
        lines += ["", "## Of the description", "", *(f"- {note}" for note in translation.notes)]
    lines += ["", "## What holds for every application", "", *(f"- {line}" for line in _ALWAYS), ""]
    return "\n".join(lines)


def summary(translation: Translation) -> str:
    """How many streams and pumps there are, and how many are the same."""
    program = translation.program
    but = sum(bool(translation.plan.notes.get(p.name)) for p in program.pumps)
    streams, pumps = len(program.streams), len(program.pumps)
    return (
        f"{streams} stream{'s' * (streams != 1)}, {pumps} pump{'s' * (pumps != 1)}: {pumps - but} the same, "
        f"{but} the same but for what"
    )


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
