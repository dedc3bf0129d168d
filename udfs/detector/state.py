"""Pack a detector as bytes and unpack it: a header, its parameters, its numbers, the last rows, and its forest."""

import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from udfs.detector import decisions as detector_decisions
from udfs.detector import features as detector_features
from udfs.detector.features import WINDOW
from udfs.detector.rules import DetectorParameters
from udfs.forest import state as forest_state
from udfs.forest.layout import LEARNED, Arrays, empty_arrays, scratch
from udfs.forest.state import ForestState, Parameters, StateError
from udfs.forest.stream import score_and_learn

_MAGIC = b"KDET"
#: Version 2 saved the smaller forest too.
_VERSION = 3
# magic, version, checksum of all bytes after it, length of the parameters
_START = struct.Struct("<4sHIH")
_CHECKED_FROM = 10


class DetectorState(NamedTuple):
    """All state that later results depend on (n columns)."""

    parameters: DetectorParameters
    state: NDArray[np.float64]  # see detector_decisions
    columns: NDArray[np.float64]  # (n, NUMBERS): see detector_features
    scales: NDArray[np.float64]  # (n,): powers of two that scale the columns for the forest
    window: NDArray[np.float64]  # (n, 48): the last values, a ring buffer
    arrays: Arrays  # the forest
    young: Arrays | None  # the smaller forest, used until the other one is full


def fresh(p: DetectorParameters) -> DetectorState:
    """The state of a detector that has seen no rows."""
    state = np.zeros(detector_decisions.NUMBERS)
    for number in (detector_decisions.LAST_HOT, detector_decisions.LAST_ALERT, detector_decisions.BEGUN):
        state[number] = -1e18
    state[[detector_decisions.LAST_TIME, detector_decisions.LAST_ALERT_TIME]] = -np.inf
    state[detector_decisions.LIMIT] = p.threshold
    return DetectorState(
        p,
        state,
        np.zeros((p.dimensions, detector_features.NUMBERS)),
        np.ones(p.dimensions),
        np.zeros((p.dimensions, WINDOW)),
        _empty(p.forest),
        _empty(p.young) if p.young else None,
    )


def standing_in(p: DetectorParameters, arrays: Arrays) -> Arrays | None:
    """The smaller forest for one that has just been packed or unpacked; None if it is not needed any more.

    Until a forest is full it holds every row so far, so the smaller one can be learned again from it.
    """
    learned = int(arrays.counts[LEARNED])
    if p.young is None or learned >= p.sub_sample_size:
        return None
    young, width = _empty(p.young), arrays.points.shape[1]
    room = scratch(p.young.number_of_trees, p.young.sub_sample_size, width)
    points = arrays.points[:learned].reshape(-1)
    score_and_learn(young, room, points, width, 1.0 / p.young.time_decay, False, np.zeros(0))
    return young


def _empty(f: Parameters) -> Arrays:
    return empty_arrays(f.number_of_trees, f.sub_sample_size, f.dimensions * f.shingle_size, f.seed)


def pack(state: DetectorState) -> bytes:
    """The state as bytes. Call `keep_living_rows` on the forest first."""
    parameters = state.parameters.to_json()
    held = min(int(state.state[detector_decisions.ROWS]), WINDOW)
    numbers = (state.state, state.columns, state.scales, state.window[:, :held])
    forest = ForestState(state.parameters.forest, np.zeros((0, 0), np.float32), state.arrays)
    body = b"".join(
        [
            len(parameters).to_bytes(2, "little"),
            parameters,
            *(array.astype("<f8").tobytes() for array in numbers),
            forest_state.pack(forest),
        ]
    )
    return _START.pack(_MAGIC, _VERSION, zlib.crc32(body), len(parameters))[:_CHECKED_FROM] + body


def unpack(data: bytes) -> DetectorState:
    """The state that `pack` packed; StateError for any other bytes."""
    if len(data) < _START.size:
        raise StateError(f"saved detector must have at least {_START.size} bytes, got {len(data)}")
    magic, version, checksum, length = _START.unpack_from(data)
    if magic != _MAGIC:
        raise StateError(f"saved detector must begin with {_MAGIC!r}, got {magic!r}")
    if version not in (2, _VERSION):
        raise StateError(f"saved detector must be of version 2 or {_VERSION}, got {version}")
    if zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        raise StateError("saved detector is damaged: its checksum does not match")
    position = _START.size + length
    try:
        p = DetectorParameters.from_json(data[_START.size : position])
    except (ValueError, TypeError) as error:
        raise StateError(f"saved detector: {error}") from error

    def take(*shape: int) -> NDArray[np.float64]:
        nonlocal position
        count = int(np.prod(shape))
        if position + 8 * count > len(data):
            raise StateError("saved detector is damaged: it ends too early")
        array = np.frombuffer(data, "<f8", count, position).astype(np.float64).reshape(shape)
        position += 8 * count
        return array

    n = p.dimensions
    state = take(detector_decisions.NUMBERS)
    columns = take(n, detector_features.NUMBERS)
    scales = take(n)
    rows = state[detector_decisions.ROWS]
    if not 0 <= rows < 2**53:
        raise StateError("saved detector is damaged: its number of rows is out of range")
    held = min(int(rows), WINDOW)
    window = np.zeros((n, WINDOW))
    window[:, :held] = take(n, held)
    if not (np.isfinite(window).all() and np.isfinite(columns).all() and (scales > 0).all()):
        raise StateError("saved detector is damaged: a number out of range")
    if version == 2:
        position += 4 + int.from_bytes(data[position : position + 4], "little")
    arrays = _unpacked(p.forest, data[position:])
    if arrays.counts[LEARNED] != rows:
        raise StateError("saved detector is damaged: its forest has learned another number of rows")
    return DetectorState(p, state, columns, scales, window, arrays, standing_in(p, arrays))


def _unpacked(parameters: Parameters, data: bytes) -> Arrays:
    forest = forest_state.unpack(data)
    if forest.parameters != parameters:
        raise StateError(f"saved detector is damaged: its forest was made with {forest.parameters}")
    return forest.arrays
