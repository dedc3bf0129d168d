"""A forest as bytes, and back."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from udfs.forest_layout import Arrays

_RANGES = {
    "dimensions": (1, 30),
    "number_of_trees": (1, 1000),
    "sub_sample_size": (10, 1000),
    "time_decay": (1, 2**31 - 1),
    "shingle_size": (1, 30),
    "seed": (0, 2**64 - 1),
}


class StateError(ValueError):
    """Bytes that are no forest: damaged, cut off, or written by a newer version."""


@dataclass(frozen=True)
class Parameters:
    """What a forest is built with; ranges as documented for RANDOM_CUT_FOREST."""

    dimensions: int
    number_of_trees: int
    sub_sample_size: int
    time_decay: int
    shingle_size: int
    seed: int

    def checked(self) -> "Parameters":
        """The same with plain integers; ValueError names the parameter, what is required and what came."""
        numbers: dict[str, int] = {}
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise ValueError(f"random_cut_forest.{name} must be an integer, got {value!r}")
            if not least <= value <= most:
                raise ValueError(f"random_cut_forest.{name} must be between {least} and {most}, got {value}")
            numbers[name] = int(value)
        if numbers["sub_sample_size"] >= numbers["time_decay"]:
            raise ValueError(
                "random_cut_forest.sub_sample_size must be less than time_decay, "
                f"got {numbers['sub_sample_size']} and {numbers['time_decay']}"
            )
        return Parameters(**numbers)


class ForestState(NamedTuple):
    parameters: Parameters
    learned: int
    recent: NDArray[np.float32]
    arrays: Arrays
    used: int


def pack(state: ForestState) -> bytes:
    raise NotImplementedError


def unpack(data: bytes) -> ForestState:
    raise NotImplementedError
