"""Forests side by side give what each gives by itself."""

import numpy as np
import pytest

from udfs.forest.arena import Arena
from udfs.forest.slots import Slots
from udfs.forest.state import Parameters, StateError
from udfs.random_cut_forest import RandomCutForest

# Sizes with and without trees small enough to be fetched whole; one where rows of points are dropped often.
SIZES = [(2, 7, 10, 50), (1, 3, 100, 1000), (3, 130, 64, 200)]


def arena_of(dimensions: int, trees: int, samples: int, decay: int, room: int) -> tuple[Arena, Parameters]:
    parameters = Parameters(dimensions, trees, samples, decay, 1, 5)
    size = Arena(parameters, 0).bytes_of_one
    return Arena(parameters, room * size), parameters


@pytest.mark.parametrize("size", SIZES)
def test_scores_are_those_of_each_forest_by_itself(size: tuple[int, int, int, int]) -> None:
    arena, parameters = arena_of(*size, room=4)
    assert arena.room == 4
    random = np.random.default_rng(2)
    alone = [RandomCutForest(*vars(parameters).values()) for _ in range(3)]
    alone[2].update_many(random.normal(0, 1, (150, size[0])))
    allocated = [arena.allocate(), arena.allocate(), arena.allocate(alone[2].to_bytes())]
    for rows in (1, 2, 700):
        # Runs of one forest, in any order, and coming again.
        which = np.repeat(random.integers(0, 3, rows), random.integers(1, 4, rows))
        points = random.normal(0, 1, (len(which), size[0])).round(1)
        found = arena.score_each([allocated[k][0] for k in which], points)
        for k, forest in enumerate(alone):
            assert np.array_equal(found[which == k], forest.score_many(points[which == k]))
    assert [f.learned for _, f in allocated] == [f.learned for f in alone]


def test_a_planted_forest_is_one_like_any_other() -> None:
    arena, parameters = arena_of(2, 7, 10, 50, room=2)
    points = np.random.default_rng(3).normal(0, 1, (60, 2))
    slot, forest = arena.allocate()
    other_slot, other = arena.allocate()
    first = arena.score_each([slot] * 30, points[:30])
    expected = RandomCutForest(*vars(parameters).values())
    assert np.array_equal(np.r_[first, forest.score_many(points[30:50])], expected.score_many(points[:50]))
    assert forest.to_bytes() == expected.to_bytes()
    assert forest.explain([9, 9]) == expected.explain([9, 9])
    assert other_slot != slot
    assert other.learned == 0


def test_a_place_that_was_cleared_begins_anew() -> None:
    arena, parameters = arena_of(2, 7, 10, 50, room=1)
    points = np.random.default_rng(3).normal(0, 1, (60, 2))
    slot, _ = arena.allocate()
    arena.score_each([slot] * 60, points)
    assert arena.is_full
    with pytest.raises(IndexError):
        arena.allocate()
    arena.free(slot)
    slot, forest = arena.allocate()
    expected = RandomCutForest(*vars(parameters).values()).score_many(points)
    assert np.array_equal(arena.score_each([slot] * 60, points), expected)
    assert forest.learned == 60


def test_a_saved_forest_with_other_parameters_says_what_to_do() -> None:
    arena, _ = arena_of(2, 7, 10, 50, room=1)
    with pytest.raises(StateError, match=r"number_of_trees=8.*number_of_trees=7.*back to the saved ones"):
        arena.allocate(RandomCutForest(2, 8, 10, 50, seed=5).to_bytes())
    assert not arena.is_full


@pytest.mark.parametrize("points", [[[1.0]], [[1.0, float("nan")]], [["a", "b"]]])
def test_points_are_checked(points: object) -> None:
    arena, _ = arena_of(2, 7, 10, 50, room=1)
    slot, forest = arena.allocate()
    with pytest.raises(ValueError, match="points must"):
        arena.score_each([slot], points)  # type: ignore[arg-type]
    assert forest.learned == 0


def test_slots_are_given_once_until_they_are_free_and_cost_nothing_before() -> None:
    assert Slots(10**12).take() == 0
    slots = Slots(2)
    assert [slots.take(), slots.take(), slots.are_taken] == [0, 1, True]
    with pytest.raises(IndexError, match="2 slots are taken"):
        slots.take()
    slots.free(0)
    assert [slots.are_taken, slots.take()] == [False, 0]
