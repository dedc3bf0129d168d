"""Lambda function `CSEBeconAnomalyResponse`: notifies people of anomalous click-through rates.

A KDA application sends it rows with ``CTRPERCENT`` (%) and ``ANOMALY_SCORE``, and, if the job has them, ``SITE``,
``WINDOW_START``, ``WINDOW_END`` and ``EXPECTED_CTR`` (%); names in any case. Each row is published to the SNS topic
``TOPIC_ARN``, which sends e-mail and SMS. While SNS throttles or is slow, the function still answers in time: only the
rows that were not published then are sent to it again.
"""

import base64
import json
import math
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from lambdas.batch import answered

#: Milliseconds for a message that is tried three times without an answer, with the pauses between.
LONGEST_PUBLISH = 25_000
# SNS refuses a longer subject, control characters in it, and anything but ASCII.
_SUBJECT_CHARACTERS = 100
# Texts come from outside: no site or time is longer than this.
_TEXT_CHARACTERS = 200


@cache
def _client() -> Any:
    retries = {"mode": "legacy", "total_max_attempts": 3}
    return boto3.client("sns", config=Config(connect_timeout=1, read_timeout=5, retries=retries))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer ``Ok`` or ``DeliveryFailed`` for each record; a bad record does not fail the others."""
    return answered(event, context, LONGEST_PUBLISH, _publish)


def _publish(data: str) -> None:
    subject, message = to_message(data)
    _client().publish(TopicArn=os.environ["TOPIC_ARN"], Subject=subject, Message=message)


def to_message(data: str) -> tuple[str, str]:
    """Turn a record's data into a subject and a message.

    Parameters
    ----------
    data : str
        Base64 of one row, a JSON object.

    Raises
    ------
    ValueError
        It is not such an object, or the rate or the score is missing or not finite.

    Examples
    --------
    >>> row = b'{"CTRPERCENT": 400.0, "ANOMALY_SCORE": 2.75, "EXPECTED_CTR": 101.5, "SITE": "shop.example.com"}'
    >>> subject, message = to_message(base64.b64encode(row).decode())
    >>> print(subject)
    Click-through rate 400.0 % on shop.example.com is anomalous
    >>> print(message)
    The click-through rate is anomalous: 400.0 % on shop.example.com.
    About 101.5 % was expected: it is 298.5 points higher (+294 %).
    Anomaly score: 2.75 (up to 1 is ordinary, higher is more anomalous).
    """
    row = json.loads(base64.b64decode(data, validate=True))
    if not isinstance(row, dict):
        raise ValueError(f"a record must be a JSON object, got {type(row).__name__}")
    values = {name.upper(): value for name, value in row.items()}
    rate = f"{_number(values, 'CTRPERCENT'):.1f} %"
    score = f"{_number(values, 'ANOMALY_SCORE'):.2f}"
    place = f" on {site}" if (site := _text(values, "SITE")) else ""
    lines = [f"The click-through rate is anomalous: {rate}{place}."]
    if values.get("EXPECTED_CTR") is not None:
        lines.append(_difference(_number(values, "CTRPERCENT"), _number(values, "EXPECTED_CTR")))
    lines.append(f"Anomaly score: {score} (up to 1 is ordinary, higher is more anomalous).")
    start, end = _text(values, "WINDOW_START"), _text(values, "WINDOW_END")
    if start and end:
        lines.append(f"Window: {start} to {end}.")
    subject = f"Click-through rate {rate}{place} is anomalous".encode("ascii", "replace").decode()
    return _shortened(subject, _SUBJECT_CHARACTERS), "\n".join(lines)


def _difference(rate: float, expected: float) -> str:
    """The expected rate, and the difference from it in points and in percent."""
    points = rate - expected
    if abs(points) < 0.05:
        return f"About {expected:.1f} % was expected, too: what is unusual is how it changes."
    share = f" ({100 * points / expected:+.0f} %)" if expected > 0 else ""
    way = "higher" if points > 0 else "lower"
    return f"About {expected:.1f} % was expected: it is {abs(points):.1f} points {way}{share}."


def _number(values: dict[str, Any], name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def _text(values: dict[str, Any], name: str) -> str:
    """Return the column as one line without control characters; empty if it is absent."""
    value = values.get(name)
    if value is None:
        return ""
    printable = "".join(character if character.isprintable() else " " for character in str(value))
    return _shortened(" ".join(printable.split()), _TEXT_CHARACTERS)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
