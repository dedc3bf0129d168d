"""A stream's shards, listed on the worker that needs to know them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from base.aws import Aws


class ShardLister:
    """Asks for lists of a stream's shards, in a thread. AWS allows a stream 1,000 calls a second.

    Parameters
    ----------
    stream : str
        Its name.
    aws : Aws
        Where it is.
    """

    def __init__(self, stream: str, aws: Aws) -> None:
        self._stream, self._aws = stream, aws
        self._thread = ThreadPoolExecutor(1, "shards")
        self._client: Any = None

    def ask(self) -> Future[Mapping[str, bool]]:
        """For each shard whether it is open; closed ones are listed as long as they have records."""
        return self._thread.submit(self._list)

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _list(self) -> Mapping[str, bool]:
        if self._client is None:
            from botocore.config import Config

            # It is asked for again: an answer that comes late is worth nothing.
            config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
            self._client = self._aws.client("kinesis", config)
        return {
            shard["ShardId"]: "EndingSequenceNumber" not in shard["SequenceNumberRange"]
            for shard in shards_of(self._client, self._stream)
        }


def shards_of(kinesis: Any, stream: str) -> Iterator[dict[str, Any]]:
    """All shards of a stream as Kinesis describes them, closed ones too; ``kinesis`` is a client."""
    # Not boto3's paginator: it names the stream beside the token, which Kinesis refuses: so beyond 1,000 shards.
    answer = kinesis.list_shards(StreamName=stream)
    yield from answer["Shards"]
    while token := answer.get("NextToken"):
        answer = kinesis.list_shards(NextToken=token)
        yield from answer["Shards"]
