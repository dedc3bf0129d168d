"""Templates of the Kinesis Data Generator, compiled.

A template is text with tags: ``{{module.method(argument)}}``. It is trimmed and its newlines are deleted. Then its
first tag is replaced by the tag's value, until no tag is left; so a value that has a tag is evaluated again.
An argument is JSON, or else plain text.

Limits: a template or record has at most 1 Mi characters, and at most 1,000 evaluations beyond the template's own tags,
so that a template which makes new tags forever ends with an error.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from base.errors import KdaError
from generator.source import Source

#: Takes a source and a tag's argument (None if there is none), checks the argument, and returns a function that makes
#: one value.
Maker = Callable[[Source, Any], Callable[[], object]]
Modules = Mapping[str, Mapping[str, Maker]]

MOST_CHARACTERS = 1024 * 1024
MOST_EVALUATIONS = 1000
_ARGUMENT = re.compile(r"\(([^)]*)\)")


class TemplateError(KdaError, ValueError):
    """A template has an unknown name or a wrong argument, or never ends."""


def text_of(value: object) -> str:
    """Return a value as JavaScript converts it to text; an object as JSON.

    >>> [text_of(v) for v in (True, None, 2.0, 0.5, [1, None, "a"], {"a": 1})]
    ['true', 'null', '2', '0.5', '1,,a', '{"a":1}']
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
        case list():
            return ",".join("" if item is None else text_of(item) for item in value)
        case dict():
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case datetime():
            return f"{value:%a %b %d %Y %H:%M:%S GMT%z} ({value.tzname()})"
        case _:
            return str(value)


class Template:
    """A compiled template; a call makes one record.

    Parameters
    ----------
    text : str
        The template.
    source : Source
        Random numbers, time and Faker.
    modules : mapping
        Makers by module and method, such as `generator.modules.MODULES`.

    Raises
    ------
    TemplateError
        A tag names an unknown module or method, or has an argument the method can't take.

    Examples
    --------
    >>> from generator.modules import MODULES
    >>> make = Template('{"id": {{random.number({"min": 7, "max": 7})}}}', Source(seed=1), MODULES)
    >>> make()
    '{"id": 7}'
    """

    def __init__(self, text: str, source: Source, modules: Modules) -> None:
        if len(text) > MOST_CHARACTERS:
            raise TemplateError(
                f"a template has at most {MOST_CHARACTERS} characters, this one has {len(text)}"
            )
        self._source = source
        self._modules = modules
        self._compiled = lru_cache(maxsize=256)(self._compile_tag)
        self._text = text.strip().replace("\r", "").replace("\n", "")
        # For each tag: the text before it, the function that makes its value, and its end in the template.
        self._steps: list[tuple[str, Callable[[], str], int]] = []
        end = 0
        while tag := _first_tag(self._text, end):
            self._steps.append((self._text[end : tag.start], self._compile_tag(tag.inner), tag.end))
            end = tag.end
        self._tail = self._text[end:]

    def __call__(self) -> str:
        """Return one record."""
        pieces: list[str] = []
        for before, make, end in self._steps:
            value = make()
            pieces += before, value
            if "{" in value:
                # The value may be, begin or end a tag: evaluate the text as a whole.
                return self._evaluated("".join(pieces) + self._text[end:])
        pieces.append(self._tail)
        return "".join(pieces)

    def _evaluated(self, text: str) -> str:
        begin = 0
        for _ in range(MOST_EVALUATIONS + len(self._steps)):
            if len(text) > MOST_CHARACTERS:
                raise TemplateError(f"a record has at most {MOST_CHARACTERS} characters, this one is longer")
            tag = _first_tag(text, begin)
            if not tag:
                return text
            text = text[: tag.start] + self._compiled(tag.inner)() + text[tag.end :]
            # A brace just before the value may make a tag with it.
            begin = max(tag.start - 1, 0)
        raise TemplateError(f"the template makes new tags forever: stopped after {MOST_EVALUATIONS}")

    def _compile_tag(self, inner: str) -> Callable[[], str]:
        found = _ARGUMENT.search(inner)
        raw = found[1] if found else ""
        path = _ARGUMENT.sub("", inner, count=1).strip()
        module, _, rest = path.partition(".")
        method = rest.split(".")[0]
        if module not in self._modules:
            raise TemplateError(f"Invalid module: {module}")
        if method not in self._modules[module]:
            raise TemplateError(f"Invalid method: {module}.{method}")
        try:
            make = self._modules[module][method](self._source, _parsed(raw))
        except TemplateError as error:
            raise TemplateError(f"{module}.{method} {error}, got {raw[:80]!r}") from None
        except OverflowError:
            raise TemplateError(f"{module}.{method} needs smaller numbers, got {raw[:80]!r}") from None

        def value() -> str:
            try:
                return text_of(make())
            except RecursionError:
                message = f"{module}.{method} takes no value that is nested so deeply, got {raw[:80]!r}"
                raise TemplateError(message) from None

        return value


class _Tag:
    __slots__ = ("end", "inner", "start")

    def __init__(self, text: str, start: int, close: int) -> None:
        self.start, self.end, self.inner = start, close + 2, text[start + 2 : close]


def _first_tag(text: str, begin: int) -> _Tag | None:
    # Plain searches, as a regular expression takes quadratic time on a run of braces.
    start = text.find("{{", begin)
    close = text.find("}}", start + 2) if start >= 0 else -1
    return _Tag(text, start, close) if close >= 0 else None


def _parsed(raw: str) -> Any:
    if not raw.strip():
        return None
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return raw


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
