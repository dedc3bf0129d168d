"""Buckets fall into Flink's key groups one each, and subtasks get equal shares of the keys."""

from collections import Counter
from itertools import accumulate, pairwise

import pytest

from udfs.key_groups import USUAL, bucket_names, bucket_of, key_group


def test_each_key_group_has_a_bucket() -> None:
    for groups in (17, 128, 512, 1024, 2048):
        names = bucket_names(groups)
        assert [key_group(name, groups) for name in names] == list(range(groups))
        assert {len(name) for name in names} == {4}


@pytest.mark.parametrize("pattern", ["{}", "sensor-{}", "{:08x}", "K{:05}", "T{}", "device_{:06}", "{}-eu"])
def test_no_subtask_has_much_more_than_its_share_at_any_parallelism_up_to_256(pattern: str) -> None:
    groups = {name: group for group, name in enumerate(bucket_names(USUAL))}
    counted = Counter(groups[bucket_of(pattern.format(k), USUAL)] for k in range(10_000))
    keys_before = list(accumulate((counted[group] for group in range(USUAL)), initial=0))
    for parallelism in range(1, 257):
        # As Flink spreads key groups: subtask i has those with group * parallelism // groups == i.
        firsts = [-(-subtask * USUAL // parallelism) for subtask in range(parallelism + 1)]
        shares = [keys_before[end] - keys_before[first] for first, end in pairwise(firsts)]
        # A key can not be halved.
        assert max(shares) <= 1.25 * 10_000 / parallelism + 1, parallelism
        assert min(shares) > 0


def test_buckets_of_saved_state_are_where_they_were() -> None:
    keys = ["", "a", "sensor-9", "Größe", "\U0001f600"]
    assert [bucket_of(key, 128) for key in keys] == OF_128
    assert [bucket_of(key, 1024) for key in keys] == OF_1024


OF_128 = ["0406", "0005", "0234", "0335", "0095"]
OF_1024 = ["0675", "0005", "1022", "0708", "1187"]
