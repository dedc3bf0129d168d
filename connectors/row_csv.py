"""A row's values as a line of CSV, in the form that KDA's destinations sent them."""

from __future__ import annotations

import json
from typing import Any

from connectors.row_json import value_json


def csv_line(values: Any) -> bytes:
    """One line of CSV in UTF-8, without a newline; values are quoted only if necessary.

    Parameters
    ----------
    values : sequence
        A Flink row, a list or a tuple.

    Notes
    -----
    NULL, NaN and the infinities are empty, an empty string is ``""``. Times, numbers, booleans and BYTES are written
    as in :mod:`connectors.row_json`; an ARRAY, MAP or ROW is its JSON, quoted.

    Examples
    --------
    >>> csv_line(["a", None, 3.5, 'say "so", Anna', True])
    b'a,,3.5,"say ""so"", Anna",true'
    """
    return ",".join(_field(value) for value in values).encode("utf-8", "replace")


def _field(value: Any) -> str:
    text = value if isinstance(value, str) else value_json(value)
    if not isinstance(value, str):
        if text == "null":
            return ""
        if text.startswith('"'):
            text = json.loads(text)
    if text and not any(c in text for c in ',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'
