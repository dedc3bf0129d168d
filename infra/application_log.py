"""Finds why a job failed, in its CloudWatch log of Managed Service for Apache Flink.

The service itself reports only "Python process exits with code: 1". The log has the traceback in one of two forms: a
failure of the main Python process is one event per printed line, mixed with other events; a failure on a Python worker
is one event with Java's stack trace around Python's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from base.aws import Aws
from infra import flink

_PYTHON_LOGGER = "org.apache.flink.client.python.PythonDriver"
_LINES = 20
_EXIT = "Python process exits with code: 1"
# Most events to read: a job that keeps restarting fills its log quickly.
_EVENTS = 20_000


def failure(aws: Aws, name: str, since: datetime) -> list[str]:
    """The lines of the newest Python traceback in the application's log; empty if it has no failure.

    Parameters
    ----------
    since : datetime
        Start of the events to read, with a time zone.
    """
    logs = aws.client("logs")
    query = {"logGroupName": f"/aws/kinesis-analytics/{name}", "startTime": int(since.timestamp() * 1000)}
    messages: list[str] = []
    try:
        for page in logs.get_paginator("filter_log_events").paginate(**query):
            events = sorted(page["events"], key=lambda event: int(event["timestamp"]))
            messages += [event["message"] for event in events]
            if len(messages) > _EVENTS:
                break
    except logs.exceptions.ResourceNotFoundException:
        return []
    return reason(messages)


def reason(messages: Iterable[str]) -> list[str]:
    """Extract the lines that say why a job failed from the events of its log.

    Examples
    --------
    >>> lines = ["Traceback (most recent call last):", "  File 'main.py'", "KeyError: 'job'"]
    >>> events = [{"logger": "org.apache.flink.client.python.PythonDriver", "message": line} for line in lines]
    >>> reason(json.dumps(event) for event in events) == lines
    True
    """
    printed: list[str] = []
    reported: list[str] = []
    java = ""
    for message in messages:
        logger, text, thrown = _event(message)
        if logger == _PYTHON_LOGGER and not thrown:
            if "Python Process Started" in text:
                printed = []
            elif "Python Process Exited" not in text:
                printed += text.splitlines()
            reported = _traceback(printed) or reported
        elif found := _traceback(f"{text}\n{thrown}".splitlines()):
            reported = found
        elif thrown:
            java = flink.cause(thrown)
    if not reported and java.endswith(_EXIT) and (said := [line for line in printed if line.strip()]):
        # No traceback: a file or module is missing, or a SyntaxError. What Python printed is the reason.
        return said[-_LINES:]
    return reported or ([java] if java else [])


def _event(message: str) -> tuple[str, str, str]:
    """Logger, text and stack trace of one event; the service writes them as JSON."""
    try:
        event = json.loads(message)
        thrown = event.get("throwableInformation") or ""
        text = str(event.get("message", ""))
    except (ValueError, AttributeError):
        return "", message, ""
    return event.get("logger", ""), text, "\n".join(thrown) if isinstance(thrown, list) else str(thrown)


def _traceback(lines: list[str]) -> list[str]:
    """The last Python traceback in some lines: header, frames and error; a long one is cut in the middle."""
    starts = [i for i, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    if not starts:
        return []
    found = ["Traceback (most recent call last):"]
    for line in lines[starts[-1] + 1 :]:
        over = not found[-1].startswith("  ") and len(found) > 1
        if line.startswith("\tat ") or (over and (not line.strip() or line.startswith("Caused by: "))):
            break
        found.append(line)
    # Of an exception that Java threw, its cause comes after Python's traceback.
    causes = [line for line in lines[starts[-1] :] if line.startswith("Caused by: ")]
    if causes and any("Py4JJavaError" in line for line in found):
        found.append(causes[-1])
    if len(found) > _LINES:
        found = [*found[:3], "  …", *found[4 - _LINES :]]
    return found
