"""Untrusted text for the terminal."""

from __future__ import annotations

from rich.text import Text


def plain(text: str, limit: int = 200) -> Text:
    """Untrusted text without markup and control characters, at most `limit` characters.

    Examples
    --------
    >>> plain("[red]\\x1b[2J" + "x" * 300, 8).plain
    '[red]�[…'
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return Text("".join(character if character.isprintable() else "\ufffd" for character in cut))
