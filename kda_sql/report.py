"""MIGRATION.md: how each statement was translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kda_sql.errors import shown
from kda_sql.program import fold

if TYPE_CHECKING:
    from kda_sql.translate import Translation

_ALWAYS = (
    "**Time.** ROWTIME is the time of arrival at the stream, not of arrival in the application. So a window holds the "
    "same rows however late or fast they are read, and a replay gives the same rows again.",
    "**Emission.** A row with a window (OVER) is emitted when no earlier row can come any more, not at once: some "
    "tenths of a second later on a busy stream, up to `source.idle_timeout` later when the stream becomes idle.",
    "**State.** Windows and forests survive stops and failures; KDA lost its forests at each restart.",
    "**Numbers.** A whole number too large for its type goes to the error stream; a BIGINT wraps around.",
)


def report(translation: Translation) -> str:
    """The text of MIGRATION.md."""
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
            how = "left out: no pump that fills it is translated"
        elif missing:
            how = f"same, but without the rows of {', '.join(missing)}, which is not translated"
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
        lines += ["", "## The application's description", "", *(f"- {note}" for note in translation.notes)]
    lines += ["", "## True of every application", "", *(f"- {line}" for line in _ALWAYS), ""]
    return "\n".join(lines)


def not_translated(translation: Translation) -> str:
    """Every reason why a pump is not translated, with its line and a caret; empty if all are translated."""
    problems = {p for found in translation.plan.refused.values() for p in found}
    ordered = sorted(problems, key=lambda p: (p.line, p.column, p.message))
    return shown(ordered, translation.program.text, translation.described.file)


def summary(translation: Translation, where: str) -> str:
    """The number of streams and pumps, how many are the same, and where the details are."""
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
