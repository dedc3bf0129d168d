"""What comes to a forest, checked: rows of finite numbers, as float32."""

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from base.errors import InvalidValue
from udfs.forest.layout import LARGEST
from udfs.forest.stream import to_float32


def as_records(points: ArrayLike, axes: int, dimensions: int) -> NDArray[np.float32]:
    """Records as (n, dimensions): of one record, `axes` 1, or of many, `axes` 2.

    What lies beyond the range that is distinguished counts as its end (see forest_layout).

    Raises
    ------
    ValueError
        For another shape, for what is not a number, and for numbers that are not finite.
    """
    array = as_numbers(points, axes, dimensions)
    records = np.empty(array.shape, np.float32)
    require_finite(array, to_float32(array, records))
    return records


def require_finite(array: NDArray[np.float64], bad: int) -> None:
    """Raise a ValueError that names row `bad`, if it is one."""
    if bad >= 0:
        raise InvalidValue(f"points must be finite numbers, got {array[bad].tolist()} in row {bad}")


def as_numbers(points: ArrayLike, axes: int, dimensions: int) -> NDArray[np.float64]:
    """`as_records` before it is looked whether the numbers are finite: an array that lies in one piece."""
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
        # Python integers beyond 64 bits are numbers too.
        if array.dtype.kind != "O" or not all(isinstance(x, Real) for x in array.flat):
            raise InvalidValue(f"points must be numbers, got {points!r:.200}")
        array = np.array([min(max(x, -LARGEST), LARGEST) if x == x else x for x in array.flat]).reshape(
            array.shape
        )
    # Compiled code would be made again for arrays that can't be written to.
    return np.require(array, np.float64, ["C", "A", "W"]).reshape(-1, dimensions)
