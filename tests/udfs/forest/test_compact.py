"""A compact forest is the same forest: in its scores, and in the bytes it is saved as."""

import numpy as np
import pytest

from udfs.forest.arena import Arena
from udfs.forest.compact_arena import CompactArena
from udfs.forest.state import Parameters
from udfs.random_cut_forest import RandomCutForest

# Dimensions, trees, samples, decay; and how many distinct values a column has (0: any).
SIZES = [(2, 7, 10, 50, 0), (1, 5, 30, 60, 4), (3, 4, 64, 400, 0), (1, 3, 12, 40, 1), (2, 3, 300, 1000, 7)]


@pytest.mark.parametrize("size", SIZES)
def test_scores_and_bytes_are_those_of_the_unpacked_forest(size: tuple[int, int, int, int, int]) -> None:
    dimensions, trees, samples, decay, values = size
    random = np.random.default_rng(2)

    def points(n: int) -> np.ndarray:
        if values:
            return random.integers(values, size=(n, dimensions)).astype(float)
        return random.normal(0, 1, (n, dimensions))

    parameters = Parameters(dimensions, trees, samples, decay, 1, 5)
    forests = [RandomCutForest(*vars(parameters).values()) for _ in range(2)]
    for forest, n in zip(forests, (samples, 3 * samples), strict=True):
        forest.update_many(points(n))
    arena = CompactArena(parameters, 1_000_000)
    slots = [arena.allocate(forest) for forest in forests]
    for rows in (1, 2, 500):
        # Runs of one forest, in any order, and coming again.
        which = np.repeat(random.integers(0, 2, rows), random.integers(1, 4, rows))
        given = points(len(which))
        found = arena.score_each([slots[k] for k in which], given)
        for k, forest in enumerate(forests):
            assert np.array_equal(found[which == k], forest.score_many(given[which == k]))
            assert arena.to_bytes(slots[k]) == forest.to_bytes()


def test_numbers_go_beyond_32_bits() -> None:
    parameters = Parameters(2, 5, 10, 100, 1, 5)
    points = np.random.default_rng(2).normal(0, 1, (400, 2))
    forest = RandomCutForest(*vars(parameters).values())
    forest.update_many(points[:100])
    # As if it had learned that many before.
    forest.arrays.point_number[: forest.arrays.counts[0]] += 2**33 - 150
    forest.arrays.counts[1] += 2**33 - 150
    forest = RandomCutForest.from_bytes(forest.to_bytes())
    arena = CompactArena(parameters, 10_000)
    slot = arena.allocate(forest)
    assert np.array_equal(arena.score_each([slot] * 300, points[100:]), forest.score_many(points[100:]))
    assert arena.to_bytes(slot) == forest.to_bytes()


def test_there_is_room_for_so_many_and_none_with_a_decay_beyond_what_the_numbers_hold() -> None:
    parameters = Parameters(2, 30, 64, 100_000, 1, 0)
    forest = RandomCutForest(*vars(parameters).values())
    assert CompactArena(parameters, 10_000_000).room > 4 * Arena(parameters, 10_000_000).room
    assert not CompactArena(parameters, 1_000_000).takes(forest)
    assert CompactArena(Parameters(2, 30, 64, 2**31 - 1, 1, 0), 10_000_000).room == 0
