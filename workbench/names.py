"""Validates names that come from the page, of applications, files and streams: they become paths on disk."""

from __future__ import annotations

import re

from base.errors import KdaError

_APPLICATION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")
_FILE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.(?:sql|yaml|json|template)")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,128}")
#: Files that the page may not write: they make resources and roles.
_FORBIDDEN_FILES = ("stack.yaml",)
MOST_FILES = 200
MOST_CHARACTERS = 1_000_000
#: Most characters of a KDA program, as in KDA.
MOST_SQL = 102_400


class NameRefused(KdaError, ValueError):
    """A name or file is not valid; the message says what was required and what came."""


def application_name(name: object) -> str:
    """Check an application's name, which also names a folder, a stack and streams.

    Raises
    ------
    NameRefused
        It is not valid.

    Examples
    --------
    >>> application_name("a-b")
    Traceback (most recent call last):
    workbench.names.NameRefused: name must be 1 to 48 letters, digits and _, the first a letter, got 'a-b'
    """
    if not isinstance(name, str) or not _APPLICATION.fullmatch(name):
        raise NameRefused(
            f"name must be 1 to 48 letters, digits and _, the first a letter, got {str(name)[:60]!r}"
        )
    return name


def files_of(value: object) -> dict[str, str]:
    """Check the files of an application as the page sends them: text by name.

    Raises
    ------
    NameRefused
        A name is not one of an application's file, a text is not Unicode, or there is too much text.
    """
    if not isinstance(value, dict) or not value:
        raise NameRefused("files: required texts by file name, got none")
    if len(value) > MOST_FILES:
        raise NameRefused(f"files: required at most {MOST_FILES}, got {len(value)}")
    for name, text in value.items():
        if not isinstance(name, str) or not _FILE.fullmatch(name) or name.lower() in _FORBIDDEN_FILES:
            raise NameRefused(
                f"files: required names like kda.sql or application.yaml, got {str(name)[:60]!r}"
            )
        if not isinstance(text, str):
            raise NameRefused(f"files: {name}: required text, got {type(text).__name__}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise NameRefused(f"files: {name}: required Unicode text, got a lone surrogate") from None
    if sum(map(len, value.values())) > MOST_CHARACTERS:
        raise NameRefused(f"files: required at most {MOST_CHARACTERS:,} characters in all")
    return dict(value)


def is_file_of_application(name: str) -> bool:
    """Whether the page shows and edits a file of this name."""
    return bool(_FILE.fullmatch(name)) and name.lower() not in _FORBIDDEN_FILES


def stream_name(name: object) -> str:
    """Check the name of a stream.

    Raises
    ------
    NameRefused
        It is not valid.
    """
    if not isinstance(name, str) or not _STREAM.fullmatch(name):
        raise NameRefused(f"stream must be 1 to 128 letters, digits, _ . and -, got {str(name)[:60]!r}")
    return name
