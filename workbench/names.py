"""Names of applications, files and streams that come from the page: they become names of folders and files."""

from __future__ import annotations

import re

from base.errors import KdaError

_APPLICATION = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")
_FILE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.(?:sql|yaml|json|template)")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,128}")
#: Files that can do more than say what an application is: they make resources and roles.
_FORBIDDEN_FILES = ("stack.yaml",)
MOST_FILES = 200
MOST_CHARACTERS = 1_000_000
#: So long may a program be, as in KDA.
MOST_SQL = 102_400


class NameRefused(KdaError, ValueError):
    """A name that can't be taken; the message says what was required and what came."""


def application_name(name: object) -> str:
    """A name that a folder, a stack and a stream can have.

    Raises
    ------
    NameRefused
        It is none.

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
    """The files of an application as a page sends them: texts by name.

    Raises
    ------
    NameRefused
        A name is none of such a file, or there is too much.
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
            raise NameRefused(f"files: {name}: a character that is none of Unicode's") from None
    if sum(map(len, value.values())) > MOST_CHARACTERS:
        raise NameRefused(f"files: required at most {MOST_CHARACTERS:,} characters in all")
    return dict(value)


def is_file_of_application(name: str) -> bool:
    """Whether a file of a folder is one that the page shows and edits."""
    return bool(_FILE.fullmatch(name)) and name.lower() not in _FORBIDDEN_FILES


def stream_name(name: object) -> str:
    """The name of a stream.

    Raises
    ------
    NameRefused
        It is none.
    """
    if not isinstance(name, str) or not _STREAM.fullmatch(name):
        raise NameRefused(f"stream must be 1 to 128 letters, digits, _ . and -, got {str(name)[:60]!r}")
    return name
