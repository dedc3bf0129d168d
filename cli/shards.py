"""`kda shards`: estimates how many shards a stream needs."""

from typing import Annotated

import typer

from infra.shards import estimate_shards


def shards(
    record_size: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Average size of a record in bytes.")
    ] = 128,
    records_per_second: Annotated[
        float, typer.Option(min=0.001, help="Most records written per second.")
    ] = 100,
    consumers: Annotated[int, typer.Option(min=0, help="Applications that read the stream.")] = 1,
) -> None:
    """Estimate the shards of a Kinesis stream and say which limit sets their number.

    Example: kda shards --record-size 128 --records-per-second 100 --consumers 1
    """
    estimate = estimate_shards(record_size, records_per_second, consumers)
    noun = "shard" if estimate.shards == 1 else "shards"
    typer.echo(f"{estimate.shards} {noun}: set by the limit of {estimate.limit}")
