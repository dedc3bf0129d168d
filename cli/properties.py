"""`kda properties`: lists the properties of an application, from the models that check them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from base.errors import InvalidValue, KdaError
from cli.groups import application
from infra.paths import ROOT
from pipeline.catalog import all_applications
from pipeline.property_list import Property, properties_of

#: The document that has the list.
DOCUMENT = ROOT / "docs" / "properties.md"
_BEGIN, _END = "<!-- properties: made by `kda properties --docs` -->\n", "<!-- end of properties -->\n"

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def markdown() -> str:
    """The engine's properties as a list, with the defaults of the project's applications."""
    applications = all_applications()
    by_name = {a.name: {(p.group, p.key): p for p in properties_of(a)} for a in applications}
    lines = []
    for place in dict.fromkeys(place for found in by_name.values() for place in found):
        found = {name: properties[place] for name, properties in by_name.items() if place in properties}
        own = place[0] == "job" or any(place[0] in a.properties for a in applications)
        if own or all(_as_said(p, by_name[name]) for name, p in found.items()):
            continue
        if len({p.default for p in found.values()}) == 1:
            default = _code(next(iter(found.values())).default) or "none"
        else:
            default = ", ".join(f"{name} {_code(p.default)}" for name, p in found.items() if p.default)
        lines.append(f"- `{'.'.join(place)}` ({default}): {next(iter(found.values())).notes}")
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _as_said(p: Property, beside: dict[tuple[str, str], Property]) -> bool:
    """Whether another group lists it already: a detector has its forest's keys, other destinations those of `sink`."""
    if p.group == "detector":
        return ("random_cut_forest", p.key) in beside
    first = beside.get(("sink", p.key))
    return p.group != "sink" and first is not None and first.notes == p.notes


def documented(text: str) -> str:
    """Return a document with its list of properties replaced.

    Raises
    ------
    ValueError
        The document lacks the two lines around the list.
    """
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise InvalidValue(f"the document must have one line {_BEGIN.strip()} and one {_END.strip()}")
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{markdown()}\n{_END}{rest.partition(_END)[2]}"


def properties(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="APPLICATION", help="A name from `kda list`, or a folder with an application.yaml."
        ),
    ] = None,
    docs: Annotated[
        bool,
        typer.Option(
            "--docs", help="Write the properties of all of `jobs/` into docs/properties.md instead."
        ),
    ] = False,
) -> None:
    """List an application's properties as -p takes them, with their defaults and meaning.

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
    except KdaError as error:  # an application or a default is not valid
        for line in str(error).splitlines():
            _err.print(Text(f"kda: {line}", style="red"))
        raise typer.Exit(2) from error
    for p in found:
        if p.group != "job":  # it names the application, which the command's argument does
            _out.print(Text.assemble((f"{p.group}.{p.key}", "bold"), f"={p.default}"))
            _out.print(Padding(Text(p.notes, style="dim"), (0, 0, 0, 4), expand=False), soft_wrap=False)
