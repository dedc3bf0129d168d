"""Options that Flink's table connectors share: the service's address, and the formats of KDA's outputs."""

from __future__ import annotations

from base.aws import Aws
from base.errors import InvalidValue
from connectors.option import FORMATS


def aws_options(aws: Aws) -> dict[str, str]:
    """Options of a table connector that say where its service is."""
    return {"aws.region": aws.region} | ({"aws.endpoint": aws.endpoint} if aws.endpoint else {})


def format_options(form: str) -> dict[str, str]:
    """Options of a table connector that writes rows as ``json`` or ``csv``; ValueError for another format.

    JSON: an object for each row, with the column names as keys. CSV: values between commas, quoted if necessary; NULL
    is empty. In both, times are ``YYYY-MM-DD HH:MM:SS.mmm`` without trailing zeros. Records have no newline, the lines
    of a file have.
    """
    if form not in FORMATS:
        raise InvalidValue(f"format must be {' or '.join(FORMATS)}, got {form!r}")
    return {"format": "csv"} if form == "csv" else {"format": "json", "json.timestamp-format.standard": "SQL"}
