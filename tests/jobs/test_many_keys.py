"""Many keys in a real job: Flink assigns key groups and buckets as we compute them."""

import pytest

from tests.jobs.conftest import Flink, rows_of
from udfs.key_groups import USUAL, bucket_of, bucket_sql, key_group, name_sql, number_sql
from udfs.row_stream import through_a_stream

pytestmark = pytest.mark.flink


def test_flink_has_the_same_groups_and_the_same_buckets(mini_flink: Flink) -> None:
    from pyflink.java_gateway import get_gateway
    from pyflink.table import Schema

    table_env = mini_flink.environment()
    keys = ["", "a", "0", "sensor-9", "Größe", "日本", "\U0001f600", "x" * 300, *map(str, range(200))]
    # Not VALUES: the planner would compile and run the functions for each.
    table_env.create_temporary_view("named", table_env.from_elements([(key,) for key in keys], ["k"]))
    jvm = get_gateway().jvm
    for groups in (512, USUAL):
        numbered = table_env.sql_query(f"SELECT k, {number_sql('k', groups)} AS number FROM named")
        # As the decoder does it; otherwise the number would be computed for each comparison.
        schema = Schema.new_builder().column("k", "STRING").column("number", "INT").build()
        view = f"numbered_{groups}"
        table_env.create_temporary_view(view, through_a_stream(table_env, numbered, schema))
        query = f"SELECT k, {bucket_sql('k', groups)}, {name_sql('number', groups)} FROM {view}"
        found = rows_of(table_env, query)
        assert [tuple(row) for row in found] == [(key, *[bucket_of(key, groups)] * 2) for key in keys]
        for _, name, _ in found[:50]:
            row = jvm.org.apache.flink.types.Row(1)
            row.setField(0, name)
            group = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup(row, groups)
            assert group == key_group(name, groups)
