"""Text for the terminal: untrusted text, and AWS's errors."""

from __future__ import annotations

from botocore.exceptions import ClientError
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


def reason(error: Exception) -> str:
    """An error's message; of AWS, only its message and code.

    Examples
    --------
    >>> reason(ClientError({"Error": {"Code": "NotFound", "Message": "no table x"}}, "Scan"))
    'no table x (NotFound)'
    >>> reason(OSError("no disk"))
    'no disk'
    """
    if isinstance(error, ClientError) and error.response["Error"].get("Message"):
        return f"{error.response['Error']['Message']} ({error.response['Error']['Code']})"
    return str(error)
