"""Read plain JSON records, thousands in one call, without an object for a record.

A plain record here is one JSON object in ASCII, without escapes and without nested values, whose values have the types
of their columns; numbers may be texts. All others are left to :mod:`udfs.decoding.decoder`, which gives the same values
for these.
"""

import numpy as np

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import Array

#: Kinds of columns.
TEXT, INTEGER, DOUBLE, BOOLEAN = range(4)
_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE = 0x22, 0x5C, 0x2C, 0x3A, 0x7B, 0x7D
_MINUS, _PLUS, _POINT, _ZERO, _NINE = 0x2D, 0x2B, 0x2E, 0x30, 0x39
#: A text value's span is (-1, -1) if it is null or missing.
_NULL = -1


@compiled
def past_space(data: Array, place: int, end: int) -> int:
    """The first place that is not white space."""
    while place < end and data[at(place)] <= 0x20:
        byte = data[at(place)]
        if byte != 0x20 and byte != 0x0A and byte != 0x0D and byte != 0x09:
            return place
        place += 1
    return place


@compiled
def past_text(data: Array, place: int, end: int) -> int:
    """The place of the closing quote of a string that begins here; -1 if it is not plain."""
    while place < end:
        byte = data[at(place)]
        if byte == _QUOTE:
            return place
        if byte == _BACKSLASH or byte < 0x20 or byte >= 0x80:
            return -1
        place += 1
    return -1


@compiled
def past_digits(data: Array, place: int, end: int) -> int:
    """The first place that is not a digit."""
    while place < end and _ZERO <= data[at(place)] <= _NINE:
        place += 1
    return place


@compiled
def word_at(data: Array, place: int, end: int) -> int:
    """Which of null, false and true is here: 0, 1, 2; -1 if none."""
    if place + 4 <= end and data[at(place)] == 0x6E:
        found = data[at(place + 1)] == 0x75 and data[at(place + 2)] == 0x6C and data[at(place + 3)] == 0x6C
        return 0 if found else -1
    if place + 4 <= end and data[at(place)] == 0x74:
        found = data[at(place + 1)] == 0x72 and data[at(place + 2)] == 0x75 and data[at(place + 3)] == 0x65
        return 2 if found else -1
    if place + 5 <= end and data[at(place)] == 0x66:
        found = data[at(place + 1)] == 0x61 and data[at(place + 2)] == 0x6C
        return 1 if found and data[at(place + 3)] == 0x73 and data[at(place + 4)] == 0x65 else -1
    return -1


@compiled
def past_number(data: Array, place: int, end: int) -> int:
    """The first place after a JSON number; -1 if there is none."""
    if place < end and data[at(place)] == _MINUS:
        place += 1
    zero = place < end and data[at(place)] == _ZERO
    stop = place + 1 if zero else past_digits(data, place, end)
    if stop == place:
        return -1
    place = stop
    if place < end and data[at(place)] == _POINT:
        stop = past_digits(data, place + 1, end)
        if stop == place + 1:
            return -1
        place = stop
    if place < end and data[at(place)] | 0x20 == 0x65:
        place += 1
        if place < end and (data[at(place)] == _PLUS or data[at(place)] == _MINUS):
            place += 1
        stop = past_digits(data, place, end)
        if stop == place:
            return -1
        place = stop
    return place


@compiled
def number_at(
    data: Array, place: int, end: int, kind: int, limit: int, tens: Array, reals: Array, bits: Array
) -> bool:
    """Put the value of the JSON number in [place, end) into `bits`; False if it may not be exact or does not fit.

    A decimal of at most 15 digits, times or divided by at most 10**22, is exact but for one rounding. ``limit``: bits
    of an integer. ``reals`` (1,) is the memory of ``bits`` (1,).
    """
    negative = data[at(place)] == _MINUS
    if negative:
        place += 1
    digits, scale, point, number = 0, 0, False, 0
    while place < end:
        byte = data[at(place)]
        if byte == _POINT:
            point = True
        elif byte | 0x20 == 0x65:
            break
        else:
            number = number * 10 + whole(byte) - _ZERO
            digits += 1
            scale -= 1 if point else 0
            if digits > (18 if kind == INTEGER else 15):
                return False
        place += 1
    if kind == INTEGER:
        # The greatest of 8 bytes has 19 digits.
        if place < end or point or (limit < 64 and number >= whole(1) << whole(limit - 1)):
            return False
        bits[0] = np.uint64(-number if negative else number)
        return True
    if place < end:
        place += 1
        sign = 1
        if data[at(place)] == _MINUS or data[at(place)] == _PLUS:
            sign = -1 if data[at(place)] == _MINUS else 1
            place += 1
        if end - place > 3:
            return False
        exponent = 0
        while place < end:
            exponent = exponent * 10 + whole(data[at(place)]) - _ZERO
            place += 1
        scale += sign * exponent
    if scale < -22 or scale > 22 or (negative and number == 0):
        return False
    value = real(number) * tens[at(scale)] if scale >= 0 else real(number) / tens[at(-scale)]
    reals[0] = -value if negative else value
    return True


@compiled
def column_at(data: Array, place: int, end: int, names: Array, edges: Array, expected: int) -> int:
    """Which column has this name; -1 if none. ``expected`` is tried first."""
    columns = edges.shape[0] - 1
    for k in range(columns):
        column = (expected + k) % columns
        first = edges[at(column)]
        size = edges[at(column + 1)] - first
        if size != end - place:
            continue
        same = True
        for byte in range(size):
            if data[at(place + byte)] != names[at(first + byte)]:
                same = False
                break
        if same:
            return column
    return -1


@compiled
def read_object(
    data: Array, place: int, end: int, names: Array, edges: Array, kinds: Array, limits: Array, required: Array,
    tens: Array, spans: Array, bits: Array, reals: Array,
) -> bool:  # fmt: skip
    """Read one record in [place, end); False if it is not plain.

    ``spans`` (columns, 2) gets where a value is; ``bits`` (columns,) that of other columns, ``reals`` being its memory.
    """
    columns = kinds.shape[0]
    for column in range(columns):
        spans[column, 0] = _NULL
    place = past_space(data, place, end)
    if place >= end or data[at(place)] != _OPEN:
        return False
    place = past_space(data, place + 1, end)
    expected = 0
    more = place >= end or data[at(place)] != _CLOSE
    while more:
        if place >= end or data[at(place)] != _QUOTE:
            return False
        name = place + 1
        stop = past_text(data, name, end)
        if stop < 0:
            return False
        column = column_at(data, name, stop, names, edges, expected)
        place = past_space(data, stop + 1, end)
        if place >= end or data[at(place)] != _COLON:
            return False
        place = past_space(data, place + 1, end)
        if place >= end:
            return False
        kind = -1 if column < 0 else kinds[at(column)]
        byte = data[at(place)]
        first, null, number = place, False, False
        if byte == _QUOTE:
            first = place + 1
            stop = past_text(data, first, end)
            if stop < 0:
                return False
            place = stop + 1
            # KDA reads a number from a text, too.
            number = kind in (INTEGER, DOUBLE)
            if number and past_number(data, first, stop) != stop:
                return False
            if kind == BOOLEAN or (kind == TEXT and stop - first > limits[at(column)]):
                return False
        elif byte == _MINUS or _ZERO <= byte <= _NINE:
            stop = past_number(data, place, end)
            if stop < 0 or kind in (TEXT, BOOLEAN):
                return False
            place = stop
            number = kind >= 0
        else:
            word = word_at(data, place, end)
            if word < 0 or (word > 0 and kind >= 0 and kind != BOOLEAN):
                return False
            null = word == 0
            stop = place = place + (5 if word == 1 else 4)
            if kind == BOOLEAN:
                bits[at(column)] = np.uint64(word == 2)
        if number:
            its_real, its_bits = reals[column : column + 1], bits[column : column + 1]
            if not number_at(data, first, stop, kind, limits[at(column)], tens, its_real, its_bits):
                return False
        if column >= 0:
            spans[column, 0] = _NULL if null else first
            spans[column, 1] = stop
            expected = column + 1
        place = past_space(data, place, end)
        if place >= end:
            return False
        more = data[at(place)] == _COMMA
        if more:
            place = past_space(data, place + 1, end)
    if data[at(place)] != _CLOSE or past_space(data, place + 1, end) != end:
        return False
    complete = True
    for column in range(columns):
        complete = complete and not (required[at(column)] and spans[column, 0] < 0)
    return complete


@compiled
def read_objects(
    data: Array, begins: Array, ends: Array, names: Array, edges: Array, kinds: Array, limits: Array,
    required: Array, tens: Array, spans: Array, bits: Array, reals: Array, good: Array,
) -> None:  # fmt: skip
    """Read all records; ``good`` (n,) says which are plain."""
    for k in range(begins.shape[0]):
        good[k] = read_object(
            data, begins[k], ends[k], names, edges, kinds, limits, required, tens, spans[k], bits[k], reals[k]
        )
