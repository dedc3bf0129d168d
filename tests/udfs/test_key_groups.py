"""Buckets fall into Flink's key groups one each, and subtasks get equal shares of the keys."""

from collections import Counter

import pytest

from udfs.key_groups import MOST, USUAL, bucket_names, bucket_of, key_group


def shares(keys: list[str], buckets: int, parallelism: int) -> list[int]:
    """How many of the keys each subtask has, as Flink spreads key groups over them."""
    counted = Counter(key_group(bucket_of(key, buckets), buckets) * parallelism // buckets for key in keys)
    return [counted[subtask] for subtask in range(parallelism)]


def test_each_key_group_has_a_bucket() -> None:
    for groups in (17, 128, 512, 1024):
        names = bucket_names(groups)
        assert [key_group(name, groups) for name in names] == list(range(groups))
        assert {len(name) for name in names} == {4}


@pytest.mark.parametrize("pattern", ["{}", "sensor-{}", "{:08x}", "K{:05}"])
def test_the_busiest_subtask_has_little_more_than_its_share(pattern: str) -> None:
    keys = [pattern.format(k) for k in range(10_000)]
    for buckets, parallelisms in (
        (USUAL, (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)),
        (MOST, (48, 64, 80, 96, 100, 128, 256)),
    ):
        for parallelism in parallelisms:
            # A key can not be halved.
            assert max(shares(keys, buckets, parallelism)) <= 1.25 * 10_000 // parallelism + 1, parallelism


@pytest.mark.parametrize(
    ("buckets", "parallelism"), [(USUAL, 17), (USUAL, 100), (USUAL, 128), (MOST, 255), (MOST, 256)]
)
def test_no_subtask_is_idle(buckets: int, parallelism: int) -> None:
    assert min(shares([f"sensor-{k}" for k in range(10_000)], buckets, parallelism)) > 0
