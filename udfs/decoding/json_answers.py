"""Write records that :mod:`udfs.decoding.json_bytes` has read as PyFlink's rows; their form: :mod:`udfs.row_bytes`."""

import numpy as np

from udfs.compiled import at, compiled
from udfs.forest.layout import Array
from udfs.row_bytes import KIND, write_length


@compiled
def write_number(out: Array, size: int, number: np.uint64, width: int) -> int:
    """Write the last bytes of a number, the highest first; returns where it ends."""
    for byte in range(width):
        out[at(size + byte)] = number >> np.uint64(8 * (width - 1 - byte)) & np.uint64(0xFF)
    return size + width


@compiled
def write_objects(
    data: Array, heads: Array, widths: Array, spans: Array, bits: Array, copied: Array, nulls: int, numbers: Array,
    ended: bool, out: Array,
) -> int:  # fmt: skip
    """Write records as rows; returns the number of bytes written.

    Parameters
    ----------
    heads : array of int64, (n, 2)
        Where the bytes are that precede each row.
    widths : array of int64, (columns,)
        Bytes of a column; 0 for text.
    spans, bits : array
        From `read_objects`.
    copied : array of int64, (n, fields, 2)
        Where the further fields are, encoded; NULL if empty.
    nulls : int
        NULLs after those.
    numbers : array of uint64, (n, m)
        Fields of 8 bytes after those.
    ended : bool
        Whether an end message follows each row.
    """
    columns, fields, rest = widths.shape[0], copied.shape[1], numbers.shape[1]
    mask_bytes = (KIND + columns + fields + nulls + rest + 7) // 8
    size = 0
    for k in range(heads.shape[0]):
        length = heads[k, 1] - heads[k, 0] + mask_bytes + 8 * rest
        for column in range(columns):
            if spans[k, column, 0] >= 0:
                width = widths[at(column)]
                length += width if width else 4 + spans[k, column, 1] - spans[k, column, 0]
        for field in range(fields):
            length += copied[k, field, 1] - copied[k, field, 0]
        size = write_length(out, size, length)
        for byte in range(heads[k, 0], heads[k, 1]):
            out[at(size)] = data[at(byte)]
            size += 1
        mask = size
        for byte in range(mask_bytes):
            out[at(mask + byte)] = 0
        size += mask_bytes
        for column in range(columns):
            first, stop = spans[k, column, 0], spans[k, column, 1]
            if first < 0:
                out[at(mask + (column + KIND) // 8)] |= 0x80 >> (column + KIND) % 8
                continue
            width = widths[at(column)]
            if width:
                size = write_number(out, size, bits[k, column], width)
                continue
            size = write_number(out, size, np.uint64(stop - first), 4)
            for byte in range(first, stop):
                out[at(size)] = data[at(byte)]
                size += 1
        for field in range(fields + nulls):
            first = copied[k, field, 0] if field < fields else 0
            stop = copied[k, field, 1] if field < fields else 0
            if first == stop:
                bit = columns + field + KIND
                out[at(mask + bit // 8)] |= 0x80 >> bit % 8
            for byte in range(first, stop):
                out[at(size)] = data[at(byte)]
                size += 1
        for number in range(rest):
            size = write_number(out, size, numbers[k, number], 8)
        if ended:
            out[at(size)] = 1
            out[at(size + 1)] = 0
            size += 2
    return size
