"""MIGRATION.md: what became of each statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kda_sql.errors import shown
from kda_sql.program import fold

if TYPE_CHECKING:
    from kda_sql.translate import Translation

_ALWAYS = (
    "**Time.** ROWTIME is the time of arrival at the stream, not of arrival in the application. Windows so hold the "
    "same rows however late or fast they are read; a replay gives the same rows again.",
    "**Emission.** A row that looks back (OVER) comes when nothing earlier can come any more, not at once: some "
    "tenths of a second later on a stream that flows, up to `source.idle_timeout` behind one that becomes idle.",
    "**State.** Windows and forests are kept over stops and failures; KDA forgot its forests at each restart.",
    "**Numbers.** A whole number that its type does not hold is a row of the error stream; a BIGINT wraps around.",
)


def report(translation: Translation) -> str:
    """The whole text."""
    plan, program = translation.plan, translation.program
    lines = [f"# {translation.described.name}: from KDA SQL to Flink", ""]
    lines += [
        f"{summary(translation, 'the table')}.",
        "",
        "## Statements",
        "",
        "| line | statement | became | how |",
        "| --- | --- | --- | --- |",
    ]
    entries: list[tuple[int, tuple[str, str, str]]] = []
    for stream in program.streams.values():
        name = plan.streams.get(stream.name, "")
        missing = [p.name for p in program.pumps if fold(p.into) == stream.name and p.name in plan.refused]
        how = "not filled by any pump: no rows" if stream.name in plan.empty else "same"
        if stream.name in plan.lost:
            how = "not translated: no pump that fills it is"
        elif missing:
            how = f"same, but without the rows of {', '.join(missing)}, not translated"
        entries.append((stream.statement.line, (f"stream `{stream.name}`", f"`{name}`" if name else "", how)))
    for pump in program.pumps:
        made = ", ".join(f"`{n}`" for n in plan.relations.get(pump.name, ()))
        notes = plan.notes.get(pump.name) or []
        how = f"same, but {'; '.join(notes)}" if notes else "same"
        if pump.name in plan.refused:
            how = f"not translated: {'; '.join(p.message for p in plan.refused[pump.name])}"
        into = fold(pump.into)
        entries.append((pump.statement.line, (f"pump `{pump.name}` into `{into}`", made, how)))
    for statement, why in program.left_out:
        words = " ".join(statement.text.split())[:60]
        entries.append((statement.line, (f"`{words}`", "", f"not translated: {why}")))
    lines += [f"| {line} | {' | '.join(map(_cell, cells))} |" for line, cells in sorted(entries)]
    if plan.refused:
        lines += ["", "## Not translated", "", "```", not_translated(translation), "```"]
    if translation.notes:
        lines += ["", "## Of the description", "", *(f"- {note}" for note in translation.notes)]
    lines += ["", "## What holds for every application", "", *(f"- {line}" for line in _ALWAYS), ""]
    return "\n".join(lines)


def not_translated(translation: Translation) -> str:
    """Every reason why a pump is not translated, with its line and a caret; empty where all are."""
    problems = {p for found in translation.plan.refused.values() for p in found}
    ordered = sorted(problems, key=lambda p: (p.line, p.column, p.message))
    return shown(ordered, translation.program.text, translation.described.file)


def summary(translation: Translation, where: str) -> str:
    """How many streams and pumps there are, how many are the same, and where more is said."""
    program, refused = translation.program, len(translation.plan.refused)
    but = sum(bool(translation.plan.notes.get(p.name)) for p in program.pumps)
    streams, pumps = len(program.streams), len(program.pumps)
    same = pumps - refused - but
    counts = [f"{refused} not translated"] * bool(refused) + [f"{same} the same"] * bool(same or not but)
    said = [f"{but} the same but for what {where} says"] * bool(but)
    counted = f"{streams} stream{'s' * (streams != 1)}, {pumps} pump{'s' * (pumps != 1)}"
    return f"{counted}: {', '.join([*counts, *said])}" + ("" if but else f"; {where} says more")


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
