"""Many keys in a real job: Flink assigns key groups and buckets as we compute them."""

import pytest

from tests.jobs.conftest import Flink, rows_of
from udfs.key_groups import USUAL, bucket_of, bucket_sql, key_group

pytestmark = pytest.mark.flink


def test_flink_has_the_same_groups_and_the_same_buckets(mini_flink: Flink) -> None:
    from pyflink.java_gateway import get_gateway

    table_env = mini_flink.environment()
    keys = ["", "a", "0", "sensor-9", "Größe", "日本", "\U0001f600", "x" * 300, *map(str, range(200))]
    values = ", ".join(f"('{key}')" for key in keys)
    jvm = get_gateway().jvm
    for groups in (512, USUAL):
        found = rows_of(table_env, f"SELECT k, {bucket_sql('k', groups)} FROM (VALUES {values}) AS t (k)")
        # VALUES pads its texts to the longest of them.
        assert [name for _, name in found] == [bucket_of(key, groups) for key, _ in found]
        for _, name in found[:50]:
            row = jvm.org.apache.flink.types.Row(1)
            row.setField(0, name)
            group = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup(row, groups)
            assert group == key_group(name, groups)
