"""Events of an application's log."""

import json
from typing import Any

from infra import application_log


def event(message: str, logger: str = application_log._PYTHON_LOGGER, thrown: Any = None) -> str:
    """An event as the service writes it."""
    return json.dumps(
        {"applicationARN": "arn:aws:…", "logger": logger, "message": message, "messageType": "INFO"}
        | ({"throwableInformation": thrown} if thrown else {})
    )


TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/main.py", line 29, in <module>
    main()
  File "/opt/jobs/settings.py", line 160, in settings
    raise SettingsError("…") from None
jobs.settings.SettingsError: anomalies.treshold is no property of this job
errors.stream is required, and not set"""
