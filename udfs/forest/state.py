"""Pack a forest as bytes, and unpack it.

The bytes are a header and then little-endian arrays: the last records, for the next shingle; the points in any tree,
each once; the differences of their numbers; the shapes of the trees; and the point of each sampled record.
"""

import struct
import zlib
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from base.errors import InvalidValue, KdaError
from udfs.forest.layout import LARGEST, LEARNED, USED, Arrays, Scratch, empty_arrays, scratch
from udfs.forest.packing import read_shapes, write_shapes

_MAGIC = b"KRCF"
#: For a forest that is saved as the records to learn.
_YOUNG = b"KRCY"
#: The format is the same since version 1. Since version 2, scores follow KDA's formula (docs/forest.md).
_VERSION = 2
# magic, version, checksum of all bytes after it
_START = struct.Struct("<4sHI")
# the parameters, points learned, rows of `recent`, of `points`, length of `shapes`
_COUNTS = struct.Struct("<HHHIHQ QHII")

_RANGES = {
    "dimensions": (1, 30),
    "number_of_trees": (1, 1000),
    "sub_sample_size": (10, 1000),
    "time_decay": (1, 2**31 - 1),
    "shingle_size": (1, 30),
    "seed": (0, 2**64 - 1),
}


class StateError(KdaError, ValueError):
    """Saved state that can't be used: damaged, cut off, of a newer version, or made with other parameters."""


@dataclass(frozen=True)
class Parameters:
    """A forest's parameters; ranges as documented for RANDOM_CUT_FOREST."""

    dimensions: int
    number_of_trees: int
    sub_sample_size: int
    time_decay: int
    shingle_size: int
    seed: int

    def checked(self) -> "Parameters":
        """The same parameters as plain integers; ValueError for one that is not an integer or out of range."""
        numbers: dict[str, int] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = _RANGES[field.name]
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise InvalidValue(f"random_cut_forest.{field.name} must be an integer, got {value!r}")
            if not least <= value <= most:
                raise InvalidValue(
                    f"random_cut_forest.{field.name} must be between {least} and {most}, got {value}"
                )
            numbers[field.name] = int(value)
        if numbers["sub_sample_size"] >= numbers["time_decay"]:
            raise InvalidValue(
                "random_cut_forest.sub_sample_size must be less than random_cut_forest.time_decay, "
                f"got {numbers['sub_sample_size']} and {numbers['time_decay']}"
            )
        return Parameters(**numbers)


class ForestState(NamedTuple):
    """All state that later scores depend on."""

    parameters: Parameters
    recent: NDArray[np.float32]  # (up to shingle_size - 1, dimensions): the last records
    arrays: Arrays


def pack(state: ForestState) -> bytes:
    """The state as bytes."""
    p, arrays = state.parameters, state.arrays
    used = int(arrays.counts[USED])
    shapes, rows = shapes_of(p, arrays)
    points, numbers = arrays.points[:used], arrays.point_number[:used]
    return pack_parts(p, int(arrays.counts[LEARNED]), state.recent, points, numbers, shapes, rows)


def shapes_of(p: Parameters, arrays: Arrays) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """The shapes of all trees, and the row of `points` of each sampled record."""
    size = min(int(arrays.counts[LEARNED]), p.sub_sample_size)
    shapes = np.empty(p.number_of_trees * 2 * p.sub_sample_size, np.uint16)
    rows = np.empty(p.number_of_trees * size, np.int32)
    return shapes[: write_shapes(arrays, _scratch(p), shapes, rows)], rows


def pack_parts(
    p: Parameters,
    learned: int,
    recent: NDArray[np.float32],
    points: NDArray[np.float32],
    numbers: NDArray[np.int64],
    shapes: NDArray[np.uint16],
    rows: NDArray[np.int32],
) -> bytes:
    """The parts of a forest's state as bytes."""
    used = len(points)
    body = b"".join(
        [
            _COUNTS.pack(*astuple(p), learned, len(recent), used, len(shapes)),
            recent.tobytes(),
            points.tobytes(),
            _gaps(numbers),
            shapes.astype(_shape_type(p)).tobytes(),
            rows.astype(_row_type(used)).tobytes(),
        ]
    )
    return _START.pack(_MAGIC, _VERSION, zlib.crc32(body)) + body


def pack_young(parameters: Parameters, records: bytes) -> bytes:
    """Pack a forest that has learned only these records (float32, contiguous), before its scores begin."""
    body = _COUNTS.pack(*astuple(parameters), 0, 0, len(records) // (4 * parameters.dimensions), 0) + records
    return _START.pack(_YOUNG, _VERSION, zlib.crc32(body)) + body


def unpack_young(data: bytes) -> tuple[Parameters, bytes] | None:
    """What `pack_young` packed; None for other bytes, StateError for damaged ones."""
    if data[: len(_YOUNG)] != _YOUNG:
        return None
    _require(len(data) >= _START.size + _COUNTS.size, "it ends too early")
    _, version, checksum = _START.unpack_from(data)
    if version > _VERSION:
        raise StateError(f"saved forest must be of version 1 to {_VERSION}, got {version}")
    _require(zlib.crc32(memoryview(data)[_START.size :]) == checksum, "its checksum does not match")
    *numbers, _, _, count, _ = _COUNTS.unpack_from(data, _START.size)
    parameters = Parameters(*numbers).checked()
    records = data[_START.size + _COUNTS.size :]
    _require(len(records) == 4 * count * parameters.dimensions, "its header has another number of records")
    return parameters, records


def unpack(data: bytes) -> ForestState:
    """The state that `pack` packed; StateError for any other bytes."""
    if len(data) < _START.size + _COUNTS.size:
        raise StateError(
            f"saved forest must have at least {_START.size + _COUNTS.size} bytes, got {len(data)}"
        )
    magic, version, checksum = _START.unpack_from(data)
    if magic != _MAGIC:
        raise StateError(f"saved forest must begin with {_MAGIC!r}, got {magic!r}")
    if not 1 <= version <= _VERSION:
        raise StateError(f"saved forest must be of version 1 to {_VERSION}, got {version}")
    if zlib.crc32(memoryview(data)[_START.size :]) != checksum:
        raise StateError("saved forest is damaged: its checksum does not match")
    *numbers, learned, kept, used, length = _COUNTS.unpack_from(data, _START.size)
    try:
        p = Parameters(*numbers).checked()
    except ValueError as error:
        raise StateError(f"saved forest: {error}") from error
    reader = _Reader(data, _START.size + _COUNTS.size)
    columns = p.dimensions * p.shingle_size
    recent = reader.take("<f4", kept * p.dimensions).reshape(kept, p.dimensions).astype(np.float32)
    points = reader.take("<f4", used * columns).reshape(used, columns)
    point_number = reader.gaps(used)
    shapes = reader.take(_shape_type(p), length).astype(np.uint16)
    rows = reader.take(_row_type(used), p.number_of_trees * min(learned, p.sub_sample_size)).astype(np.int32)
    reader.end()
    _require(kept <= p.shingle_size - 1, "more recent records than a shingle needs")
    _require(learned < 2**62, "more points than can be counted")
    _require(
        bool((np.abs(recent) <= LARGEST).all() and (np.abs(points) <= LARGEST).all()), "a number out of range"
    )
    _require(used == 0 or bool((np.diff(point_number) > 0).all()), "points out of order")
    _require(
        used == 0 or bool(point_number[0] >= 0 and point_number[-1] < learned),
        "a point with a number out of range",
    )
    _require(used <= p.number_of_trees * p.sub_sample_size, "more points than its trees can hold")
    arrays = empty_arrays(p.number_of_trees, p.sub_sample_size, columns, p.seed)
    arrays.points[:used] = points
    arrays.point_number[:used] = point_number
    arrays.counts[:] = used, learned
    _require(read_shapes(arrays, _scratch(p), shapes, rows, 1.0 / p.time_decay), "an impossible tree")
    return ForestState(p, recent, arrays)


def _scratch(p: Parameters) -> Scratch:
    return scratch(p.number_of_trees, p.sub_sample_size, p.dimensions * p.shingle_size)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise StateError(f"saved forest is damaged: {otherwise}")


def _shape_type(p: Parameters) -> str:
    return "<u1" if p.dimensions * p.shingle_size < 256 else "<u2"


def _row_type(rows: int) -> str:
    return "<u2" if rows <= 65536 else "<u4"


def _gaps(numbers: NDArray[np.int64]) -> bytes:
    """Ascending numbers as one-byte differences; 255 stands for a larger difference, which is appended."""
    gaps = np.diff(numbers, prepend=0)
    large = gaps >= 255
    return np.where(large, 255, gaps).astype("<u1").tobytes() + gaps[large].astype("<i8").tobytes()


class _Reader:
    """Takes arrays from the bytes, one after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, kind: str, count: int) -> NDArray[np.generic]:
        size = np.dtype(kind).itemsize * count
        _require(self.position + size <= len(self.data), "it ends too early")
        array = np.frombuffer(self.data, kind, count, self.position)
        self.position += size
        return array

    def gaps(self, count: int) -> NDArray[np.int64]:
        gaps = self.take("<u1", count).astype(np.int64)
        large = gaps == 255
        gaps[large] = self.take("<i8", int(large.sum()))
        return np.cumsum(gaps)

    def end(self) -> None:
        _require(self.position == len(self.data), "it has bytes after its end")
