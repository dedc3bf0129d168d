"""Options with which Flink's table connectors write rows in the formats of KDA's outputs."""

from __future__ import annotations

from base.errors import InvalidValue
from connectors.option import FORMATS


def format_options(form: str) -> dict[str, str]:
    """Options of a table connector that writes rows as ``json`` or ``csv``; ValueError for another format.

    JSON: an object for each row, with the column names as keys. CSV: values between commas, quoted if necessary; NULL
    is empty. In both, times are ``YYYY-MM-DD HH:MM:SS.mmm`` without trailing zeros. Records have no newline, the lines
    of a file have.
    """
    if form not in FORMATS:
        raise InvalidValue(f"format must be {' or '.join(FORMATS)}, got {form!r}")
    return {"format": "csv"} if form == "csv" else {"format": "json", "json.timestamp-format.standard": "SQL"}
