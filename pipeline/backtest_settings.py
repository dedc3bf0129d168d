"""Parameters of a backtest: a detector of an application, settings to try, and labels of known events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from base.errors import InvalidValue
from pipeline.application import Application, ApplicationError
from pipeline.backtest import Label
from pipeline.relations import Detector
from pipeline.settings import override, settings

if TYPE_CHECKING:
    from pipeline.detector_group import Detector as DetectorGroup

#: Name of the setting that changes nothing.
AS_IT_IS = "as it is"


def watched_by(application: Application, name: str | None = None) -> tuple[Application, Detector]:
    """The detector of that name, the first one by default, and the application that has it.

    An application with a forest but no detector gets one, as with `detector: on`.

    Raises
    ------
    ApplicationError
        There is no such detector, and no forest.
    """
    if application.forests and not application.detectors:
        fields = {key: getattr(application, key) for key in type(application).model_fields}
        copied = {"queries": dict(application.queries), "detector": {}}
        application = Application.model_validate(fields | copied)
    found = [each for each in application.detectors if name in (None, each.name)]
    if not found:
        names = ", ".join(each.name for each in application.detectors) or "none"
        raise ApplicationError(f"--detector must be a detector of {application.name}: {names}; got {name}")
    return application, found[0]


def settings_to_try(
    application: Application,
    detector: Detector,
    texts: Iterable[str],
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, DetectorGroup]:
    """The detector's properties: the application's own, and with each setting such as ``side=above threshold=2``.

    Parameters
    ----------
    application, detector
        From :func:`watched_by`.
    texts : iterable of str
        The settings to try.
    groups : mapping
        Property groups that override the application's own.

    Raises
    ------
    SettingsError
        A property is unknown or out of range.
    """
    group = application.group_of(detector)

    def properties(text: str) -> Any:
        assignments = [f"{group}.{assignment}" for assignment in text.split()]
        return getattr(settings(application, override(groups or {}, assignments)), group)

    return {text or AS_IT_IS: properties(text) for text in ("", *(" ".join(t.split()) for t in texts))}


def labels_of(text: str) -> list[Label]:
    """Labels from lines ``from,to`` in ISO 8601, in UTC unless they have an offset.

    Raises
    ------
    ValueError
        A line has another form; the message has its number.

    Examples
    --------
    >>> labels_of("2026-03-02T10:00:00Z,2026-03-02T11:00:00Z\\n")
    [Label(start=1772445600.0, end=1772449200.0)]
    """
    return [_label(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a time in ISO 8601, in UTC unless it has an offset."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _label(number: int, line: str) -> Label:
    start, _, end = line.partition(",")
    try:
        label = Label(seconds_of(start), seconds_of(end))
    except (ValueError, OverflowError):
        label = Label(1, 0)
    if label.start > label.end:
        raise InvalidValue(
            f"labels, line {number}: required a start and an end like 2026-03-02T10:00:00Z,2026-03-02T11:00:00Z, "
            f"got {line[:80]!r}"
        )
    return label
