"""Makers of the KDG's own helpers: numbers, choices, dates, and text by pattern.

Each maker checks a tag's argument once, and returns a function that makes one value. So a mistake shows before the
first record is sent. A count is at most 10,000.
"""

import math
import string
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from generator import moments
from generator.source import Source
from generator.template import Maker, TemplateError, text_of

MOST = 10_000
_DIGITS = string.digits
_LETTERS = string.ascii_uppercase
_LETTERS_AND_DIGITS = string.ascii_lowercase + string.digits


def chosen(words: Sequence[object]) -> Maker:
    """Return a maker that picks one of `words`; it takes no argument."""
    return lambda source, _: lambda: source.random.choice(words)


def faked(method: str, **options: Any) -> Maker:
    """Return a maker for a method of Faker; a tag's argument is ignored, as JavaScript does."""

    def maker(source: Source, _: Any) -> Callable[[], object]:
        make = getattr(source.faker, method)
        return (lambda: make(**options)) if options else make

    return maker


def gendered(method: str) -> Maker:
    """Return a maker of a name; with argument 0 a man's, with 1 a woman's."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        suffix = {0: "_male", 1: "_female"}.get(argument, "") if isinstance(argument, int) else ""
        make: Callable[[], object] = getattr(source.faker, f"{method}{suffix}")
        return make

    return maker


def either(usual: Maker, if_true: Maker) -> Maker:
    """Return a maker that uses ``if_true`` if the argument is true, else ``usual``."""
    return lambda source, argument: (if_true if argument is True else usual)(source, None)


def account_of(name: Callable[[Source, str], object], usual: str) -> Maker:
    """Return a maker of a user's name or address; the argument is their first name."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        if argument is None:
            make: Callable[[], object] = getattr(source.faker, usual)
            return make
        first = "".join(c for c in text_of(argument) if c.isalnum())
        if not first:
            raise TemplateError("takes a first name")
        return lambda: name(source, first)

    return maker


def user_name(source: Source, first: str) -> str:
    """A user's name from their first name."""
    last = source.random.choice((source.faker.last_name(), str(source.random.randrange(100))))
    return f"{first}{source.random.choice('._')}{last}"


def one_of(formats: Sequence[str]) -> Maker:
    """Return a filler of the pattern whose number is the argument, from 0; after the last, it starts over."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        number = 0 if argument is None else argument
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise TemplateError("takes the number of a format, from 0")
        return pattern(formats[number % len(formats)])(source, None)

    return maker


def file_of(method: str) -> Maker:
    """Return a maker of a file's name; the argument is its extension."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        make = getattr(source.faker, method)
        if argument is None:
            return lambda: make()
        if not isinstance(argument, str):
            raise TemplateError("takes an extension as text")
        return lambda: f"{make().rpartition('.')[0]}.{argument}"

    return maker


def nearby(source: Source, argument: Any) -> Callable[[], object]:
    """Latitude and longitude at most 10 km from the argument's, ``[48.1, 11.5]``; anywhere by default."""
    given = (
        [source.random.uniform(-80, 80), source.random.uniform(-170, 170)] if argument is None else argument
    )
    numbers = isinstance(given, list) and all(
        isinstance(n, int | float) and not isinstance(n, bool) for n in given
    )
    if not numbers or len(given) != 2 or not (abs(given[0]) <= 90 and abs(given[1]) <= 180):
        raise TemplateError("takes a latitude and a longitude, [48.1, 11.5]")
    degrees = 10 / 111.2

    def make() -> object:
        angle, far = source.random.uniform(0, math.tau), degrees * math.sqrt(source.random.random())
        latitude = max(-90.0, min(90.0, given[0] + far * math.cos(angle)))
        widened = max(math.cos(math.radians(given[0])), 0.01)
        longitude = (given[1] + far * math.sin(angle) / widened + 180) % 360 - 180
        return f"{latitude:.4f},{longitude:.4f}"

    return make


def counted(default: int, make: Callable[[Source, int], object]) -> Maker:
    """Return a maker whose argument is a count from 0 to 10,000."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        count = default if argument is None else argument
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST:
            raise TemplateError(f"takes a whole number from 0 to {MOST}")
        return lambda: make(source, count)

    return maker


def number(source: Source, argument: Any) -> Callable[[], object]:
    """A multiple of `precision` from `min` to `max`, both included: 0, 99999 and 1 by default."""
    options = {"max": argument} if isinstance(argument, int | float) else argument or {}
    if not isinstance(options, dict):
        raise TemplateError("takes a number (the largest) or min, max and precision")
    low, high, step = (options.get("min", 0), options.get("max", 99999), options.get("precision", 1))
    for value in (low, high, step):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TemplateError("takes finite numbers as min, max and precision")
    if step <= 0:
        raise TemplateError("needs a precision above 0")
    # The quotient of two decimal fractions may miss a whole number by rounding, so allow a millionth.
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    if first > last:
        raise TemplateError("needs a multiple of the precision between min and max")
    draw = source.random.random
    width = last - first + 1
    if isinstance(step, int):
        return lambda: (first + int(draw() * width)) * step
    # Round, so that a multiple of 0.1 is 0.3 and not 0.30000000000000004.
    decimals = max(0, -math.floor(math.log10(step))) + 3
    return lambda: round((first + int(draw() * width)) * step, decimals)


def array_element(source: Source, argument: Any) -> Callable[[], object]:
    """One element of an array (or character of a text), all equally likely."""
    elements = ["a", "b", "c"] if argument is None else argument
    if not isinstance(elements, list | str) or not elements:
        raise TemplateError("takes an array with at least one element")
    return lambda: source.random.choice(elements)


def weighted_array_element(source: Source, argument: Any) -> Callable[[], object]:
    """One element of `data`, weighted by `weights`, which need not add up to 1."""
    options = argument if isinstance(argument, dict) else {}
    weights, data = options.get("weights"), options.get("data")
    if not isinstance(weights, list) or not isinstance(data, list) or len(weights) != len(data):
        raise TemplateError('takes {"weights": [...], "data": [...]} of equal length')
    if not all(isinstance(w, int | float) and not isinstance(w, bool) and 0 <= w < 1e300 for w in weights):
        raise TemplateError("needs weights of 0 or more")
    limits = list(accumulate(weights))
    if not limits or limits[-1] <= 0:
        raise TemplateError("needs at least one weight above 0")
    return lambda: source.random.choices(data, cum_weights=limits)[0]


def object_element(source: Source, argument: Any) -> Callable[[], object]:
    """One value of an object."""
    options = {"foo": "bar", "too": "car"} if argument is None else argument
    if not isinstance(options, dict) or not options:
        raise TemplateError("takes an object with at least one key")
    values = list(options.values())
    return lambda: source.random.choice(values)


def random_uuid(source: Source, _: Any) -> Callable[[], object]:
    """A UUID, version 4."""
    return lambda: str(uuid.UUID(int=source.random.getrandbits(128), version=4))


def pattern(default: str | Sequence[str]) -> Maker:
    """Return a filler of patterns: ``#`` is a digit, ``!`` one from 2, ``?`` a letter, ``*`` either."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        # A pattern of digits alone arrives as a number.
        patterns = [default] if isinstance(default, str) else default
        if argument is not None:
            patterns = [text_of(argument)]
        choice = source.random.choice
        fill = {
            "#": lambda: choice(_DIGITS),
            "!": lambda: choice(_DIGITS[2:]),
            "?": lambda: choice(_LETTERS),
            "*": lambda: choice(_LETTERS + _DIGITS),
        }
        return lambda: "".join([fill[c]() if c in fill else c for c in choice(patterns)])

    return maker


def slugify(source: Source, argument: Any) -> Callable[[], object]:
    """The text with spaces as hyphens, and only letters, digits, dots, hyphens and underscores."""
    slug = text_of(argument if argument is not None else "").replace(" ", "-")
    kept = "".join(c for c in slug if c in _LETTERS_AND_DIGITS + _LETTERS + "._-")
    return lambda: kept


def shuffle(source: Source, argument: Any) -> Callable[[], object]:
    """The elements of an array in a new order, separated by commas."""
    if not isinstance(argument, list):
        raise TemplateError("takes an array")
    return lambda: source.random.sample(argument, len(argument))


def amount(default_low: int, default_high: int) -> Maker:
    """Return a maker of a price with two decimals; the argument is the lowest price."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        low = default_low if argument is None else argument
        if isinstance(low, bool) or not isinstance(low, int | float) or not 0 <= low <= default_high:
            raise TemplateError(f"takes a number from 0 to {default_high}")
        return lambda: f"{source.random.uniform(low, default_high):.2f}"

    return maker


def moment(clock: Callable[[Source], datetime], default: str) -> Maker:
    """Return a maker of a date as text; the argument is a moment.js format."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        if argument is not None and not isinstance(argument, str):
            raise TemplateError("takes a format of moment.js as text")
        write = moments.compile_format(argument or default)
        return lambda: write(clock(source))

    return maker


def date_near(direction: int, days_per_unit: int) -> Maker:
    """Return a maker of a date up to N units (years or days) ahead or back; the argument is N, 1 by default."""
    unit_seconds = days_per_unit * 86400

    def make(source: Source, units: int) -> object:
        distance = source.random.uniform(1, max(units, 1) * unit_seconds)
        return source.now() + timedelta(seconds=direction * distance)

    inner = counted(1, make)

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        if isinstance(argument, int) and argument * days_per_unit > 365_000:
            raise TemplateError("takes at most 1,000 years")
        return inner(source, argument)

    return maker


def date_name(names: Sequence[str]) -> Maker:
    """Return a maker of a month's or weekday's name; ``{"abbr": true}`` for three letters."""

    def maker(source: Source, argument: Any) -> Callable[[], object]:
        short = isinstance(argument, dict) and argument.get("abbr")
        return lambda: source.random.choice(names)[: 3 if short else None]

    return maker


def image(category: str | None) -> Maker:
    """Return a maker of a picture's address, which does not exist."""
    url = "https://images.example.com/640/480" + (f"/{category}" if category else "")
    return lambda source, _: lambda: url


def alphanumeric(source: Source, count: int) -> object:
    """`count` letters and digits."""
    return "".join(source.random.choices(_LETTERS_AND_DIGITS, k=count))


def digits(source: Source, count: int) -> object:
    """`count` digits."""
    return "".join(source.random.choices(_DIGITS, k=count))
