"""Many keys in a real job: Flink assigns key groups and buckets as we compute them."""

import pytest

from tests.jobs.conftest import Flink, rows_of
from udfs.key_groups import USUAL, bucket_of, bucket_sql, key_group, name_sql, number_sql

pytestmark = pytest.mark.flink


def test_flink_has_the_same_groups_and_the_same_buckets(mini_flink: Flink) -> None:
    from pyflink.java_gateway import get_gateway

    table_env = mini_flink.environment()
    keys = ["", "a", "0", "sensor-9", "Größe", "日本", "\U0001f600", "x" * 300, *map(str, range(200))]
    values = ", ".join(f"('{key}')" for key in keys)
    jvm = get_gateway().jvm
    for groups in (512, USUAL):
        numbered = f"SELECT k, {number_sql('k', groups)} AS number FROM (VALUES {values}) AS t (k)"
        query = f"SELECT k, {bucket_sql('k', groups)}, {name_sql('number', groups)} FROM ({numbered})"
        found = rows_of(table_env, query)
        # VALUES pads its texts to the longest of them.
        assert [names for _, *names in found] == [[bucket_of(key, groups)] * 2 for key, *_ in found]
        for _, name, _ in found[:50]:
            row = jvm.org.apache.flink.types.Row(1)
            row.setField(0, name)
            group = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup(row, groups)
            assert group == key_group(name, groups)
