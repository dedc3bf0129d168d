"""A stream's shards, split and merged."""

from __future__ import annotations

from typing import Any


def shards_of(client: Any, stream: str) -> list[dict[str, Any]]:
    """All shards, closed ones too, oldest first."""
    shards: list[dict[str, Any]] = client.list_shards(StreamName=stream)["Shards"]
    return sorted(shards, key=lambda shard: str(shard["ShardId"]))


def open_shards(client: Any, stream: str) -> list[dict[str, Any]]:
    """The open shards, in order of their hash keys."""
    shards = [s for s in shards_of(client, stream) if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
    return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


def reshard(client: Any, stream: str, splits: int = 0, merges: int = 0) -> set[str]:
    """Split some open shards in the middle, or merge them with their neighbours; return the new ones' ids."""
    known = {shard["ShardId"] for shard in shards_of(client, stream)}
    shards = open_shards(client, stream)
    waiter = client.get_waiter("stream_exists")
    for shard in shards[:splits]:
        keys = shard["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        client.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))
        waiter.wait(StreamName=stream, WaiterConfig={"Delay": 1})
    for left, right in list(zip(shards[::2], shards[1::2], strict=False))[:merges]:
        client.merge_shards(
            StreamName=stream, ShardToMerge=left["ShardId"], AdjacentShardToMerge=right["ShardId"]
        )
        waiter.wait(StreamName=stream, WaiterConfig={"Delay": 1})
    return {shard["ShardId"] for shard in shards_of(client, stream)} - known


def put_on_each(client: Any, stream: str, data: bytes) -> set[str]:
    """Put a record with the shard's name on each open shard; return the records in hexadecimal."""
    put = set()
    for shard in open_shards(client, stream):
        named, key = data + shard["ShardId"].encode(), shard["HashKeyRange"]["StartingHashKey"]
        client.put_record(StreamName=stream, Data=named, PartitionKey="p", ExplicitHashKey=key)
        put.add(named.hex())
    return put
