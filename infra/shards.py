"""Estimates how many shards a Kinesis stream needs."""

import math
from dataclasses import dataclass

# Limits of one shard: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
# A megabyte is taken as 10^6 bytes, the smaller of its two meanings.
_BYTES_IN_PER_SECOND = 1_000_000
_RECORDS_IN_PER_SECOND = 1_000
_BYTES_OUT_PER_SECOND = 2_000_000


@dataclass(frozen=True)
class ShardEstimate:
    """Number of shards, and the limit of a shard that sets it."""

    shards: int
    limit: str


def estimate_shards(record_size: int, records_per_second: float, consumers: int) -> ShardEstimate:
    """Estimate the shards of a stream whose consumers share its output.

    Parameters
    ----------
    record_size : int
        Average size of a record in bytes, 1–1,000,000.
    records_per_second : float
        Most records written per second, above 0.
    consumers : int
        Applications that read the stream, at least 0.

    Examples
    --------
    >>> estimate_shards(record_size=128, records_per_second=100, consumers=1).shards
    1
    >>> estimate_shards(record_size=1000, records_per_second=4000, consumers=3)
    ShardEstimate(shards=6, limit='2 MB/s out, shared by the consumers')
    """
    bytes_per_second = record_size * records_per_second
    needs = {
        "1 MB/s in": bytes_per_second / _BYTES_IN_PER_SECOND,
        "1,000 records/s in": records_per_second / _RECORDS_IN_PER_SECOND,
        "2 MB/s out, shared by the consumers": bytes_per_second * consumers / _BYTES_OUT_PER_SECOND,
    }
    limit = max(needs, key=needs.__getitem__)
    return ShardEstimate(max(1, math.ceil(needs[limit])), limit)
