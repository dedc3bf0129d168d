"""Names of discovered columns: in snake case for SQL, and as AWS's DiscoverInputSchema gave them.

References
----------
Kinesis Data Analytics for SQL developer guide, "Column Naming During Schema Discovery".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from discovery.sql_words import RESERVED

#: Names that the engine adds to every source.
_TAKEN = ("rowtime",)
_LONGEST = 100


def snake(name: str) -> str:
    """A name in snake case.

    Examples
    --------
    >>> [snake(n) for n in ("tickerSymbol", "HTTPCode", "user name", "1st", "")]
    ['ticker_symbol', 'http_code', 'user_name', 'col_1st', 'col']
    """
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", name)
    plain = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    return plain if re.match(r"[a-z]", plain) else f"col_{plain}".rstrip("_")


def json_names(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """The names that AWS's discovery gave to columns of these paths: a changed name begins with ``COL_``.

    Examples
    --------
    >>> json_names([("@@",), ("price",), ("USER",), ("USER@DOMAIN",), ("2nd",), ("geo", "lat")])
    ['COL_0', 'price', 'COL_USER', 'COL_USERDOMAIN', 'COL_2nd', 'COL_geo_lat']
    """
    return unique(_json_name(path, place) for place, path in enumerate(paths))


def unique(names: Iterable[str]) -> list[str]:
    """The names, made unique by a number at the end; case is ignored."""
    seen, result = set(_TAKEN), []
    for name in names:
        candidate, number = name, 2
        while candidate.lower() in seen:
            candidate, number = f"{name}_{number}", number + 1
        seen.add(candidate.lower())
        result.append(candidate)
    return result


def _json_name(path: tuple[str, ...], place: int) -> str:
    kept = "_".join(filter(None, (re.sub(r"\W", "", part, flags=re.ASCII) for part in path)))
    usable = (
        kept == path[-1] and len(kept) <= _LONGEST and not kept[0].isdigit() and kept.upper() not in RESERVED
    )
    return kept if usable else f"COL_{kept[:_LONGEST] or place}"
