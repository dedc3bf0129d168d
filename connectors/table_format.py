"""The formats in which Flink's table connectors write rows, as KDA's outputs did."""

from __future__ import annotations

from base.errors import InvalidValue
from connectors.option import FORMATS


def format_options(form: str) -> dict[str, str]:
    """Options of a table connector that writes rows as ``json`` or ``csv``; ValueError for another word.

    JSON: one object a row with the column names as keys. CSV: the values between commas, in quotes where they need
    them, NULL as nothing. Times are ``YYYY-MM-DD HH:MM:SS.mmm`` in both, less the zeros at their end. A record has no
    newline, a file's lines have.
    """
    if form not in FORMATS:
        raise InvalidValue(f"format must be {' or '.join(FORMATS)}, got {form!r}")
    return {"format": "csv"} if form == "csv" else {"format": "json", "json.timestamp-format.standard": "SQL"}
