"""The list of a stream's shards: of no service, and in several pages."""

import pytest
from botocore.exceptions import BotoCoreError
from botocore.stub import Stubber

from base.aws import Aws
from connectors.shard_list import ShardLister, shards_of


def test_what_cannot_be_listed_is_an_error() -> None:
    lister = ShardLister("listed", Aws.local("http://127.0.0.1:1"))
    with pytest.raises(BotoCoreError, match="Could not connect"):
        lister.ask().result(60)
    lister.close()


def test_a_list_of_several_pages_names_the_stream_once() -> None:
    """Kinesis refuses a stream's name beside the token of the next page. No local AWS does."""
    kinesis = Aws.local("http://127.0.0.1:1").client("kinesis")
    span = {"StartingHashKey": "0", "EndingHashKey": "1"}
    shards = [
        {"ShardId": str(n), "HashKeyRange": span, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
        for n in range(3)
    ]
    with Stubber(kinesis) as kinesis_says:
        kinesis_says.add_response(
            "list_shards", {"Shards": shards[:2], "NextToken": "more"}, {"StreamName": "s"}
        )
        kinesis_says.add_response("list_shards", {"Shards": shards[2:]}, {"NextToken": "more"})
        assert [shard["ShardId"] for shard in shards_of(kinesis, "s")] == ["0", "1", "2"]
        kinesis_says.assert_no_pending_responses()
