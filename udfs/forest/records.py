"""Check a forest's input: rows of finite numbers, as float32."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from base.errors import InvalidValue
from udfs.forest.layout import LARGEST
from udfs.forest.stream import to_float32


def as_records(points: ArrayLike, axes: int, dimensions: int) -> NDArray[np.float32]:
    """Records as an array (n, dimensions), from one record (`axes` 1) or many (`axes` 2).

    Numbers beyond the forest's range are clipped (see `LARGEST` in :mod:`udfs.forest.layout`).

    Raises
    ------
    ValueError
        For another shape, and for values that are not finite numbers.
    """
    array = as_numbers(points, axes, dimensions)
    records = np.empty(array.shape, np.float32)
    require_finite(array, to_float32(array, records))
    return records


def require_finite(array: NDArray[np.float64], bad: int) -> None:
    """Raise a ValueError that names row `bad`; nothing if it is -1."""
    if bad >= 0:
        raise InvalidValue(f"points must be finite numbers, got {array[bad].tolist()} in row {bad}")


def as_numbers(points: ArrayLike, axes: int, dimensions: int) -> NDArray[np.float64]:
    """`as_records` without the check for finite numbers: a contiguous float64 array."""
    if (
        type(points) is np.ndarray
        and points.ndim == axes == 2
        and points.dtype == np.float64
        and points.shape[1] == dimensions
        and points.flags.carray
    ):
        return points
    try:
        array = np.asarray(points)
    except ValueError as error:
        raise InvalidValue(f"points must be rows of equal length, got {points!r:.200}") from error
    if axes == 2 and array.size == 0:
        return np.zeros((0, dimensions))
    shape = "(dimensions,)" if axes == 1 else "(n, dimensions)"
    if array.ndim != axes or array.shape[-1] != dimensions:
        raise InvalidValue(
            f"points must have shape {shape} with dimensions {dimensions}, got shape {array.shape}"
        )
    if array.dtype.kind not in "biuf":
        # Python integers beyond 64 bits give an object array.
        if array.dtype.kind != "O" or not all(isinstance(x, Real) for x in array.flat):
            raise InvalidValue(f"points must be numbers, got {points!r:.200}")
        array = np.array([min(max(x, -LARGEST), LARGEST) if x == x else x for x in array.flat]).reshape(
            array.shape
        )
    # Writable, as numba would compile again for read-only arrays.
    return np.require(array, np.float64, ["C", "A", "W"]).reshape(-1, dimensions)
