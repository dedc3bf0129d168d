"""Tokens of a program."""

from __future__ import annotations

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from kda_sql.dialect import STAGGER, KdaSql
from kda_sql.errors import Located


def tokenized(text: str) -> list[Token]:
    """A program's tokens, without the word STREAM after SELECT, and with WINDOWED BY STAGGER as one token.

    Raises
    ------
    Located
        A text or a quoted name is not closed.
    """
    open_comment = _open(text, comment=True)
    try:
        # A comment that is never closed ends with the text: some programs end with one.
        found = KdaSql().tokenize(text if open_comment is None else text[:open_comment])
    except TokenError as e:
        raise Located(f"a text or a quoted name is not closed: {e}", _open(text) or 0) from None
    kept: list[Token] = []
    skip = 0
    for i, token in enumerate(found):
        if skip:
            skip -= 1
            continue
        words = [t.text.upper() for t in found[i : i + 3] if t.token_type != TokenType.IDENTIFIER]
        after_select = bool(kept) and kept[-1].token_type == TokenType.SELECT
        if after_select and words[:1] == ["STREAM"]:
            following = found[i + 1].token_type if i + 1 < len(found) else None
            if following not in (TokenType.COMMA, TokenType.FROM, TokenType.DOT, None):
                kept[-1].comments.extend(token.comments)
                continue
        if words == ["WINDOWED", "BY", "STAGGER"]:
            token = Token(STAGGER, token.text, token.line, token.col, token.start, token.end, token.comments)
            skip = 2
        kept.append(token)
    return kept


def _open(text: str, comment: bool = False) -> int | None:
    """Offset of the quote (or comment) that is not closed; None if all are."""
    i, start, quote = 0, 0, ""
    while i < len(text):
        if quote:
            quote = "" if text[i] == quote else quote
        elif text[i : i + 2] in ("--", "//"):
            i = text.find("\n", i)
            if i < 0:
                return None
        elif text[i : i + 2] == "/*":
            begin, i = i, text.find("*/", i + 2)
            if i < 0:
                return begin if comment else None
            i += 1
        elif text[i] in "'\"":
            quote, start = text[i], i
        i += 1
    return start if quote and not comment else None
