"""`kda properties`: the property groups of an application, from the models that check them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.groups import application
from infra.paths import ROOT
from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.groups import Group
from pipeline.settings import settings_model

#: Where the documentation has the table.
DOCUMENT = ROOT / "docs" / "properties.md"
_BEGIN, _END = "<!-- properties: made by `kda properties --docs` -->\n", "<!-- end of properties -->\n"

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


@dataclass(frozen=True)
class Property:
    """One row of the table.

    Attributes
    ----------
    group, key : str
    default : str
        What the application runs with unless it is given another; empty: none.
    notes : str
        What it means, and what it may be.
    """

    group: str
    key: str
    default: str
    notes: str


def properties_of(chosen: Application) -> Iterator[Property]:
    """Every property of an application, in the order of its models; raises ``SettingsError`` for a wrong default."""
    yield Property("job", "name", chosen.name, "which application the package runs")
    for group, outer in settings_model(chosen).model_fields.items():
        model = outer.annotation
        assert isinstance(model, type)
        assert issubclass(model, Group)
        for key, field in model.model_fields.items():
            default = "" if field.is_required() else _text(field.default, field)
            yield Property(group, key, default, _notes(model, key))


def markdown() -> str:
    """The properties of the project's own applications, as the documentation has them: each once, its defaults beside
    one another."""
    applications = all_applications()
    by_name = {a.name: {(p.group, p.key): p for p in properties_of(a)} for a in applications}
    rows = [("Property", *by_name, "Notes"), ("---",) * (len(by_name) + 2)]
    for place in dict.fromkeys(place for found in by_name.values() for place in found):
        found = [properties.get(place) for properties in by_name.values()]
        if all(p is None or _as_the_first(p, by_name[a]) for a, p in zip(by_name, found, strict=True)):
            continue
        defaults = ["–" if p is None else f"`{p.default}`" if p.default else "" for p in found]
        notes = dict.fromkeys(p.notes for p in found if p)
        rows.append((f"`{'.'.join(place)}`", *defaults, "; or: ".join(notes)))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _as_the_first(p: Property, beside: dict[tuple[str, str], Property]) -> bool:
    """Is it what the group `sink` says already? Further destinations have the same keys."""
    first = beside.get(("sink", p.key))
    return p.group != "sink" and first is not None and (first.default, first.notes) == (p.default, p.notes)


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
        str | None,
        typer.Argument(
            metavar="APPLICATION", help="A name out of `kda list`, or a folder with an application.yaml."
        ),
    ] = None,
    docs: Annotated[
        bool, typer.Option("--docs", help="Write the tables of all of `jobs/` into docs/properties.md instead.")
    ] = False,
) -> None:
    """Show what an application can be told: its properties as -p takes them, their defaults, their meaning.

    Example: kda properties trades
    """
    if docs:
        DOCUMENT.write_text(documented(DOCUMENT.read_text()))
        _out.print(f"{DOCUMENT.relative_to(ROOT)} is up to date.")
        return
    if name is None:
        raise typer.BadParameter("name an APPLICATION, or --docs")
    try:
        found = list(properties_of(application(name)))
    except ValueError as error:  # an application or a default that can't be used
        for line in str(error).splitlines():
            _err.print(Text(f"kda: {line}", style="red"))
        raise typer.Exit(2) from error
    for p in found:
        if p.group != "job":  # which application it is, the command has said
            _out.print(Text.assemble((f"{p.group}.{p.key}", "bold"), f"={p.default}"))
            _out.print(Padding(Text(p.notes, style="dim"), (0, 0, 0, 4), expand=False), soft_wrap=False)


def _text(value: Any, field: FieldInfo) -> str:
    """A value as it is written in a property."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.12g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value is None or repr(value) == "PydanticUndefined":
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


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
