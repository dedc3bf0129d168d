"""Buckets of keys, one for each of Flink's key groups, so that subtasks get equal shares.

Flink hashes a key to a key group and gives each subtask a range of key groups. With arbitrary bucket names some groups
would get several buckets and others none; at high parallelism some subtasks would have nothing to do. So each bucket's
name is the first number that hashes to its group. Values go to buckets by a hash that spreads numbered values
(``sensor-1``, ``sensor-2``) more evenly than chance: of 10,000 the busiest subtask has at most 1.25 times the mean, at
any parallelism up to 256 with the default number of buckets. Of random names chance gives it 1.2 times at 32, 1.6 times
at 256.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count

#: Default number of buckets for a forest or detector per value of a column, and the most. Fewer would leave some
#: parallelisms up to 256 unbalanced: as many groups as subtasks give some of them two.
USUAL = MOST = 2048
#: The number of buckets in old savepoints; with it, bucket names and hash are the ones those savepoints use.
FEW = 16
#: Up to this many buckets names and hash are those of savepoints from when it was the most.
_OLD_MOST = 1024
#: Characters in a bucket's name.
LENGTH = 4
#: Found by trial: with it numbered values of all usual forms are spread evenly.
_SPREAD = 2_592_902_313
#: 2**32 over the golden ratio.
_OLD_SPREAD = 2_654_435_761
_WORD = 0xFFFFFFFF
#: Names that SQL looks up in one text. It counts characters from the text's beginning: 1 ns each.
_NAMES_IN_TEXT = 128


@lru_cache(maxsize=8)
def bucket_names(groups: int) -> tuple[str, ...]:
    """One bucket name for each of ``groups`` key groups, in their order: `LENGTH` decimal or hexadecimal digits."""
    found: dict[int, str] = {}
    for number in count():
        name = f"{number:0{LENGTH}}" if groups <= _OLD_MOST else f"{number:0{LENGTH}x}"
        found.setdefault(key_group(name, groups), name)
        if len(found) == groups:
            return tuple(found[group] for group in range(groups))
    raise AssertionError


def bucket_sql(text: str, groups: int) -> str:
    """SQL for the name of a value's bucket; ``text`` is a SQL expression for the value as a string."""
    return _named(number_sql(text, groups), groups, 0, groups)


def _named(number: str, groups: int, first: int, end: int) -> str:
    """SQL for the name of the bucket with a number from ``first`` on and before ``end``."""
    if end - first > _NAMES_IN_TEXT:
        middle = (first + end) // 2
        halves = [_named(number, groups, *half) for half in ((first, middle), (middle, end))]
        return f"CASE WHEN {number} < {middle} THEN {halves[0]} ELSE {halves[1]} END"
    names = "".join(bucket_names(groups)[first:end])
    return f"SUBSTRING('{names}', ({number} - {first}) * {LENGTH} + 1, {LENGTH})"


def number_sql(text: str, groups: int) -> str:
    """SQL for the number of a value's bucket, from 0; ``text`` is a SQL expression for the value as a string."""
    # HASH_CODE is Java's hash without its sign.
    hashed = f"CAST(HASH_CODE({text}) AS BIGINT)"
    if groups <= _OLD_MOST:
        return f"CAST(MOD(ABS({hashed} * {_OLD_SPREAD}) / 65536, {groups}) AS INTEGER)"
    return f"CAST(ABS(MOD({hashed} * {_SPREAD}, {_WORD + 1})) * {groups} / {_WORD + 1} AS INTEGER)"


def name_sql(number: str, groups: int) -> str:
    """SQL for the name of a bucket from its number, a column: `bucket_sql` in less time for a few hundred groups.

    Flink's SUBSTRING counts the characters of all names, in each row. An array of constants is made once.
    """
    names = ", ".join(f"'{name}'" for name in bucket_names(groups))
    return f"ARRAY[{names}][{number} + 1]"


def bucket_of(text: str, groups: int) -> str:
    """The name of a value's bucket: `bucket_sql` in Python."""
    hashed = _hash_of(text)
    hashed = (1 << 32) - hashed if hashed >> 31 else hashed
    if groups <= _OLD_MOST:
        number = hashed * _OLD_SPREAD // 65536 % groups
    else:
        number = (hashed * _SPREAD & _WORD) * groups >> 32
    return bucket_names(groups)[number]


def _hash_of(text: str) -> int:
    """Java's hash of a string."""
    hashed = 0
    units = text.encode("utf-16-le")
    for low, high in zip(units[::2], units[1::2], strict=True):
        hashed = 31 * hashed + (high << 8 | low) & _WORD
    return hashed


def own_buckets(groups: int, subtask: int, subtasks: int) -> tuple[str, ...]:
    """Names of the buckets of one of ``subtasks`` subtasks: Flink's `KeyGroupRangeAssignment`."""
    first, end = (-(-groups * k // subtasks) for k in (subtask, subtask + 1))
    return bucket_names(groups)[first:end]


def key_group(name: str, groups: int) -> int:
    """The key group, out of ``groups``, of a row with only this string: Flink's `KeyGroupRangeAssignment`."""
    # Java's hash of a row adds 31 twice: for its list of fields and for the row.
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
    # Java's integers are signed.
    return code if code < 1 << 31 else (1 << 32) - code if code > 1 << 31 else 0
