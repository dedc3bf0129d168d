"""Buckets of keys, one for each of Flink's key groups, so that subtasks get equal shares.

Flink hashes a key to a key group and gives each subtask a range of those. Of names taken as they come a few would
share a group, and many groups, and with many subtasks those too, would have none. So a bucket's name is the first one
that falls into its group. Values go to buckets by a hash that spreads numbered ones (``sensor-1``, ``sensor-2``) more
evenly than chance would.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count

#: Buckets of a forest or detector for each value of a column, by default: as many as Flink itself parts a
#: job's state into. On one subtask each costs 0.2 ms of CPU a bundle in which it has a row.
USUAL = 128
#: As many as there were once for all; their names and the hash are those that such savepoints have.
FEW = 16
#: As many names have `LENGTH` digits.
MOST = 1024
#: Characters of a name.
LENGTH = 4
#: 2**32 over the golden ratio.
_SPREAD = 2_654_435_761
_WORD = 0xFFFFFFFF


@lru_cache(maxsize=8)
def bucket_names(groups: int) -> tuple[str, ...]:
    """A name for each of ``groups`` key groups, in the order of the groups; each of `LENGTH` digits."""
    found: dict[int, str] = {}
    for number in count():
        name = f"{number:0{LENGTH}}"
        found.setdefault(key_group(name, groups), name)
        if len(found) == groups:
            return tuple(found[group] for group in range(groups))
    raise AssertionError


def bucket_sql(text: str, groups: int) -> str:
    """The name of the bucket of a value, as SQL; ``text`` is an expression for the value as a string."""
    number = f"MOD(ABS(CAST(HASH_CODE({text}) AS BIGINT) * {_SPREAD}) / 65536, {groups})"
    return f"SUBSTRING('{''.join(bucket_names(groups))}', CAST({number} AS INTEGER) * {LENGTH} + 1, {LENGTH})"


def bucket_of(text: str, groups: int) -> str:
    """The same in Python."""
    hashed = _hash_of(text)
    number = abs((hashed - (1 << 32) if hashed >> 31 else hashed) * _SPREAD) // 65536 % groups
    return bucket_names(groups)[number]


def _hash_of(text: str) -> int:
    """Java's hash of a string."""
    hashed = 0
    units = text.encode("utf-16-le")
    for low, high in zip(units[::2], units[1::2], strict=True):
        hashed = 31 * hashed + (high << 8 | low) & _WORD
    return hashed


def key_group(name: str, groups: int) -> int:
    """The group of a row with this string alone, of ``groups`` in all: Flink's `KeyGroupRangeAssignment`."""
    # Java's hash of a row adds twice 31: for the list of its fields, and for itself.
    return _murmur(62 + _hash_of(name) & _WORD) % groups


def _murmur(code: int) -> int:
    """`MathUtils.murmurHash`."""
    code = code * 0xCC9E2D51 & _WORD
    code = (code << 15 | code >> 17) & _WORD
    code = code * 0x1B873593 & _WORD
    code = (code << 13 | code >> 19) & _WORD
    code = code * 5 + 0xE6546B64 & _WORD
    code ^= 4
    code ^= code >> 16
    code = code * 0x85EBCA6B & _WORD
    code ^= code >> 13
    code = code * 0xC2B2AE35 & _WORD
    code ^= code >> 16
    # Java's numbers have a sign.
    return code if code < 1 << 31 else (1 << 32) - code if code > 1 << 31 else 0
