"""`kda shards`: the estimate against the limits of one shard."""

import pytest
import typer
from typer.testing import CliRunner

from cli.shards import shards
from infra.shards import estimate_shards

app = typer.Typer()
app.command()(shards)

BYTES_IN, RECORDS_IN = "1 MB/s in", "1,000 records/s in"
BYTES_OUT = "2 MB/s out, shared by the consumers"


@pytest.mark.parametrize(
    ("record_size", "records_per_second", "consumers", "expected", "limit"),
    [
        (128, 100, 1, 1, RECORDS_IN),  # the lab's own
        (128, 1000, 1, 1, RECORDS_IN),  # exactly full
        (128, 1001, 1, 2, RECORDS_IN),
        (2000, 500, 2, 1, BYTES_IN),  # 1 MB/s in, 2 MB/s out: exactly full
        (2000, 501, 2, 2, BYTES_IN),
        (2000, 500, 3, 2, BYTES_OUT),
        (1_000_000, 1, 0, 1, BYTES_IN),  # nobody reads it yet
        (1, 0.001, 1, 1, RECORDS_IN),  # never none
        (1_000_000, 1000, 20, 10_000, BYTES_OUT),
    ],
)
def test_the_tightest_limit_sets_the_number(
    record_size: int, records_per_second: float, consumers: int, expected: int, limit: str
) -> None:
    estimate = estimate_shards(record_size, records_per_second, consumers)
    assert (estimate.shards, estimate.limit) == (expected, limit)


def test_the_command() -> None:
    result = CliRunner().invoke(
        app, ["--record-size", "1000", "--records-per-second", "4000", "--consumers", "3"]
    )
    assert result.output == f"6 shards: set by the limit of {BYTES_OUT}\n"
    assert CliRunner().invoke(app, []).output == f"1 shard: set by the limit of {RECORDS_IN}\n"


@pytest.mark.parametrize(
    "wrong", [("--record-size", "0"), ("--consumers", "-1"), ("--records-per-second", "0")]
)
def test_values_out_of_range_are_refused(wrong: tuple[str, str]) -> None:
    assert CliRunner().invoke(app, [*wrong]).exit_code == 2
