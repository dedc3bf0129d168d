"""A program's relations, in order; each is one entry of ``application.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

#: Names that the engine uses itself.
_TAKEN = ("error_stream", "tap", "all_errors", "tapped_rows")


@dataclass
class Step:
    """One relation.

    Parameters
    ----------
    kind : str
        ``view``, ``errors``, or another kind of relation in ``application.yaml``.
    name : str
    body : dict
        The entry's other keys.
    sql : str
        The query of a view.
    note : str
        The file's first comment: what a row is, and when it comes.
    """

    kind: str
    name: str
    body: dict[str, Any] = field(default_factory=dict)
    sql: str = ""
    note: str = ""


class Names:
    """Gives each relation a unique name, ignoring case.

    Parameters
    ----------
    prefix : str
        Put before every name, so that one job can hold several programs.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._taken = set(_TAKEN)

    def new(self, wanted: str) -> str:
        """A unique name like ``wanted``, fit for a file and a table.

        Examples
        --------
        >>> names = Names()
        >>> names.new("Means Pump"), names.new("means_pump")
        ('Means_Pump', 'means_pump_2')
        """
        name = re.sub(r"\W", "_", wanted, flags=re.ASCII)[:80] or "relation"
        name = name if re.match(r"[A-Za-z_]", name) else f"_{name}"
        name = self._prefix + name.removeprefix(self._prefix)
        found, n = name, 1
        while {found.lower(), f"{found.lower()}_errors", f"{found.lower()}_heartbeats"} & self._taken:
            n += 1
            found = f"{name}_{n}"
        self._taken |= {found.lower()}
        return found

    def errors(self, pump: str) -> str:
        """The relation of a pump's errors; the error stream shows its name without ``_errors``."""
        name = f"{re.sub(r'[^0-9A-Za-z_]', '_', pump)[:80]}_errors"
        name = self._prefix + (name if re.match(r"[A-Za-z_]", name) else f"_{name}")
        self._taken.add(name.lower())
        return name
