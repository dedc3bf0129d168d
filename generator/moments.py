"""Dates as text, in the format language of moment.js (English, weeks as in the United States).

A format is compiled once into a list of pieces. Characters that are not a token, and text between square brackets, are
kept unchanged. Eras are not supported.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Piece = Callable[[datetime], str]

#: Formats of a moment without an argument: local with its offset, and UTC.
LOCAL = "YYYY-MM-DDTHH:mm:ssZ"
UTC_ISO = "YYYY-MM-DDTHH:mm:ss[Z]"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

#: Short names of whole formats, expanded before tokens are read.
_LONG_FORMS = {
    "LTS": "h:mm:ss A",
    "LT": "h:mm A",
    "LLLL": "dddd, MMMM D, YYYY h:mm A",
    "LLL": "MMMM D, YYYY h:mm A",
    "LL": "MMMM D, YYYY",
    "L": "MM/DD/YYYY",
    "llll": "ddd, MMM D, YYYY h:mm A",
    "lll": "MMM D, YYYY h:mm A",
    "ll": "MMM D, YYYY",
    "l": "M/D/YYYY",
}


def ordinal(number: int) -> str:
    """Return a number as 1st, 2nd, 3rd, 4th.

    >>> [ordinal(n) for n in (1, 2, 11, 23)]
    ['1st', '2nd', '11th', '23rd']
    """
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def epoch_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970, in exact integer arithmetic."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _offset(moment: datetime, separator: str) -> str:
    minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{separator}{rest:02}"


def _weekday(moment: datetime) -> int:
    """Day of the week, 0 (Sunday) to 6."""
    return moment.isoweekday() % 7


def _us_week(moment: datetime) -> tuple[int, int]:
    """Year and number of the week that begins on Sunday; the week of 1 January is number 1."""
    saturday = moment.date() + timedelta(days=6 - _weekday(moment))
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1


def _iso_week(moment: datetime) -> tuple[int, int]:
    year, week, _ = moment.isocalendar()
    return year, week


def _numbers(name: str, width: int, value: Callable[[datetime], int]) -> dict[str, Piece]:
    """The three forms of a number: plain (``D``), ordinal (``Do``) and padded (``DD``)."""
    return {
        name[0]: lambda m: str(value(m)),
        f"{name[0]}o": lambda m: ordinal(value(m)),
        name: lambda m: f"{value(m):0{width}}",
    }


_TOKENS: dict[str, Piece] = {
    **_numbers("MM", 2, lambda m: m.month),
    **_numbers("DD", 2, lambda m: m.day),
    **_numbers("ww", 2, lambda m: _us_week(m)[1]),
    **_numbers("WW", 2, lambda m: _iso_week(m)[1]),
    "MMM": lambda m: MONTHS[m.month - 1][:3],
    "MMMM": lambda m: MONTHS[m.month - 1],
    "Q": lambda m: str((m.month + 2) // 3),
    "Qo": lambda m: ordinal((m.month + 2) // 3),
    "DDD": lambda m: str(m.timetuple().tm_yday),
    "DDDo": lambda m: ordinal(m.timetuple().tm_yday),
    "DDDD": lambda m: f"{m.timetuple().tm_yday:03}",
    "d": lambda m: str(_weekday(m)),
    "do": lambda m: ordinal(_weekday(m)),
    "dd": lambda m: DAYS[_weekday(m)][:2],
    "ddd": lambda m: DAYS[_weekday(m)][:3],
    "dddd": lambda m: DAYS[_weekday(m)],
    "e": lambda m: str(_weekday(m)),
    "E": lambda m: str(m.isoweekday()),
    "Y": lambda m: str(m.year),
    "YY": lambda m: f"{m.year % 100:02}",
    "YYYY": lambda m: f"{m.year:04}",
    "YYYYY": lambda m: f"{m.year:05}",
    "YYYYYY": lambda m: f"+{m.year:06}",
    "gg": lambda m: f"{_us_week(m)[0] % 100:02}",
    "gggg": lambda m: f"{_us_week(m)[0]:04}",
    "GG": lambda m: f"{_iso_week(m)[0] % 100:02}",
    "GGGG": lambda m: f"{_iso_week(m)[0]:04}",
    "A": lambda m: "PM" if m.hour >= 12 else "AM",
    "a": lambda m: "pm" if m.hour >= 12 else "am",
    "H": lambda m: str(m.hour),
    "HH": lambda m: f"{m.hour:02}",
    "h": lambda m: str(m.hour % 12 or 12),
    "hh": lambda m: f"{m.hour % 12 or 12:02}",
    "k": lambda m: str(m.hour or 24),
    "kk": lambda m: f"{m.hour or 24:02}",
    "m": lambda m: str(m.minute),
    "mm": lambda m: f"{m.minute:02}",
    "s": lambda m: str(m.second),
    "ss": lambda m: f"{m.second:02}",
    "Hmm": lambda m: f"{m.hour}{m.minute:02}",
    "Hmmss": lambda m: f"{m.hour}{m.minute:02}{m.second:02}",
    "hmm": lambda m: f"{m.hour % 12 or 12}{m.minute:02}",
    "hmmss": lambda m: f"{m.hour % 12 or 12}{m.minute:02}{m.second:02}",
    # In moment.js a local moment has no name of its zone; one in UTC has.
    "z": lambda m: "UTC" if m.tzinfo is UTC else "",
    "zz": lambda m: "Coordinated Universal Time" if m.tzinfo is UTC else "",
    "Z": lambda m: _offset(m, ":"),
    "ZZ": lambda m: _offset(m, ""),
    "X": lambda m: str(epoch_milliseconds(m) // 1000),
    "x": lambda m: str(epoch_milliseconds(m)),
}


def _fraction(digits: int) -> Piece:
    """Fraction of the second; moment.js counts milliseconds, so further digits are zeros."""
    return lambda m: f"{m.microsecond // 1000:03}000000"[:digits]


_TOKENS |= {"S" * digits: _fraction(digits) for digits in range(1, 10)}


def _any_of(names: dict[str, object]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_BRACKETS = r"(?P<kept>\[[^\[]*?\])"
_LONG = re.compile(rf"{_BRACKETS}|(?P<long>{_any_of({**_LONG_FORMS})})")
_SPLIT = re.compile(rf"{_BRACKETS}|\\?(?P<token>{_any_of({**_TOKENS})})|.", re.DOTALL)


def compile_format(pattern: str) -> Piece:
    """Return a function that writes a moment in `pattern`.

    Parameters
    ----------
    pattern : str
        Tokens of moment.js, such as ``dddd, MMMM Do YYYY, h:mm:ss a``.

    Returns
    -------
    callable
        Takes a datetime with a time zone, gives text.

    Examples
    --------
    >>> compile_format("ddd, hA")(datetime(2010, 2, 14, 15, 25, 50, tzinfo=UTC))
    'Sun, 3PM'
    """
    spelled = _LONG.sub(lambda m: m["kept"] or _LONG_FORMS[m["long"]], pattern)
    pieces = [_piece(match) for match in _SPLIT.finditer(spelled)]
    return lambda moment: "".join([piece(moment) for piece in pieces])


def _piece(match: re.Match[str]) -> Piece:
    text = match[0]
    if match["kept"]:
        text = text[1:-1]
    elif match["token"] == text:
        return _TOKENS[text]
    else:
        # A backslash before a token keeps the token's own letters.
        text = text.replace("\\", "")
    return lambda _: text
