"""`kda properties`: the property groups of a job, from the code that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from jobs.catalog import JOBS, Job, job
from jobs.settings import Milliseconds, SettingsError, read_groups
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from infra.paths import ROOT

#: Where the documentation has the table.
DOCUMENT = ROOT / "docs" / "deploy.md"
_BEGIN, _END = "<!-- properties: made by `kda properties --docs` -->\n", "<!-- end of properties -->\n"
_HEADINGS = ("Group", "Key", "Mandatory", "Example", "Notes")

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


@dataclass(frozen=True)
class Property:
    """One row of the table.

    Attributes
    ----------
    group, key : str
    mandatory : bool
        The group can't be given without it.
    example : str
        The default; for a mandatory one, what the lab's own properties say.
    notes : str
        What it means, and what it may be.
    shipped : str
        What the job runs with unless told otherwise: the value of its own file, else the default.
    """

    group: str
    key: str
    mandatory: bool
    example: str
    notes: str
    shipped: str

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        return self.group, self.key, "Y" if self.mandatory else "", self.example, self.notes


def properties_of(chosen: Job) -> Iterator[Property]:
    """Every property of a job, in the order of its models."""
    yield Property("job", "name", True, chosen.name, "which job the package runs", chosen.name)
    lab = read_groups(ROOT / "flink-conf" / chosen.name / "application_properties.json")
    for group, outer in chosen.settings_model.model_fields.items():
        model = outer.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        default = None if outer.is_required() else outer.get_default(call_default_factory=True)
        for key, field in model.model_fields.items():
            value = getattr(default, key, None) if default is not None else field.default
            default_text = _text(value, field)
            shipped = lab.get(group, {}).get(key, default_text)
            example = shipped if field.is_required() else default_text
            yield Property(
                group, key, field.is_required(), example or default_text, _notes(model, key), shipped
            )


def markdown() -> str:
    """The tables of all jobs, as the documentation has them."""
    parts = []
    for j in JOBS:
        rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
        for p in properties_of(j):
            shown = (
                f"`{p.group}`",
                f"`{p.key}`",
                *p.row[2:3],
                f"`{p.example}`" if p.example else "",
                p.notes,
            )
            rows.append(tuple(cell.replace("|", "\\|") for cell in shown))
        lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        parts.append(f"### {j.short}: `{j.name}`\n\n{lines}\n")
    return "\n".join(parts)


def documented(text: str) -> str:
    """A document with its tables made anew.

    Raises
    ------
    ValueError
        It has no place for them.
    """
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise ValueError(f"the document must have one line {_BEGIN.strip()} and one {_END.strip()}")
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{markdown()}\n{_END}{rest.partition(_END)[2]}"


def properties(
    name: Annotated[
        str | None, typer.Argument(metavar="JOB", help=f"One of {', '.join(j.short for j in JOBS)}.")
    ] = None,
    docs: Annotated[
        bool, typer.Option("--docs", help="Write the tables of all jobs into docs/deploy.md instead.")
    ] = False,
) -> None:
    """Show what a job can be told: its properties as -p takes them, the values it is shipped with, their meaning.

    Example: kda properties trades
    """
    if docs:
        DOCUMENT.write_text(documented(DOCUMENT.read_text()))
        _out.print(f"{DOCUMENT.relative_to(ROOT)} is up to date.")
        return
    if name is None:
        raise typer.BadParameter("name a JOB, or --docs")
    try:
        chosen = job(name)
    except SettingsError as error:
        _err.print(Text(f"kda: {error}", style="red"))
        raise typer.Exit(2) from error
    for p in properties_of(chosen):
        if p.group != "job":  # which job it is, the command has said
            _out.print(Text.assemble((f"{p.group}.{p.key}", "bold"), f"={p.shipped}"))
            _out.print(Padding(Text(p.notes, style="dim"), (0, 0, 0, 4), expand=False), soft_wrap=False)


def _text(value: Any, field: FieldInfo) -> str:
    """A value as it is written in a property."""
    if isinstance(value, timedelta):
        unit = timedelta(milliseconds=1) if _is_milliseconds(field) else timedelta(seconds=1)
        return f"{value / unit:.12g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value is None or repr(value) == "PydanticUndefined":
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_milliseconds(field: FieldInfo) -> bool:
    return any(validator in field.metadata for validator in get_args(Milliseconds)[1:])


def _notes(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    # A field that a job only narrows keeps the words of the group it comes from.
    bases = [base for base in model.__mro__ if issubclass(base, BaseModel) and key in base.model_fields]
    said = next((d for base in bases if (d := base.model_fields[key].description)), "")
    choices = _choices(field.annotation)
    one = f"one of {', '.join(choices)}" if len(choices) > 1 else ""
    if get_origin(field.annotation) is Literal and len(choices) == 1:
        one = f"always {choices[0]}"
    # A description may say the range better.
    bounds = "" if re.search(r"\d-\d", said) else _range(field)
    return "; ".join(note for note in (said, one if one not in said else "", bounds) if note)


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice).lower() for choice in get_args(annotation)]
    if get_origin(annotation) is tuple:
        return []
    return [choice for inner in get_args(annotation) for choice in _choices(inner)]


def _range(field: FieldInfo) -> str:
    words = {Ge: ("at least", "ge"), Gt: ("more than", "gt"), Le: ("at most", "le"), Lt: ("less than", "lt")}
    bounds = {type(m): m for m in field.metadata}
    return ", ".join(
        f"{word} {_text(getattr(bounds[kind], name), field)}"
        for kind, (word, name) in words.items()
        if kind in bounds
    )
