"""Reports as one HTML file that needs no other file: it has the charts' library and data inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console.charts import PLOTLY

_STATIC = Path(__file__).parent.parent / "console" / "static"
#: Every value is escaped, unless the template says that it is ours.
_TEMPLATES = Environment(loader=FileSystemLoader(_STATIC), autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True)
class Section:
    """A part of a report; it has one of these contents.

    Parameters
    ----------
    title : str
    pairs : mapping
        Texts by what they are; the text ``NO`` stands out.
    table : sequence of rows
    errors : sequence of mapping or None
        Rows of the error stream; None: not a section of errors.
    """

    title: str
    pairs: Mapping[str, str] | None = None
    table: Sequence[Sequence[Any]] | None = None
    errors: Sequence[Mapping[str, Any]] | None = None


def html_page(
    title: str,
    subtitle: str,
    charts: Sequence[Mapping[str, Any]],
    sections: Sequence[Section] = (),
    verdict: Section | None = None,
) -> str:
    """Make the page.

    Parameters
    ----------
    charts : sequence of mapping
        As :func:`console.charts.figures` makes them.
    sections, verdict
        Below and above the charts.
    """
    return _TEMPLATES.get_template("report.html").render(
        title=title,
        subtitle=subtitle,
        charts=charts,
        sections=sections,
        verdict=verdict,
        css=(_STATIC / "app.css").read_text(encoding="utf-8"),
        plotly=PLOTLY.read_text(encoding="utf-8"),
        # One script instead of modules, so that nothing needs to be loaded.
        script=(_STATIC / "figures.js").read_text(encoding="utf-8").replace("export ", ""),
    )
