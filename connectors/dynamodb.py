"""Amazon DynamoDB tables, as sink.

Delivery: at least once; a row that is written twice leaves one item, as the key is the same. Order: within a batch the
newest row of a key wins; batches are sent concurrently, so two rows of one key in different batches may overtake each
other. Batches: 25 items. An item that DynamoDB leaves unprocessed, or a call that fails, is sent again until it is
accepted, with back-pressure meanwhile. An invalid item (a key that is empty or over 2,048 bytes, an item over 400 kB)
fails the job, and so does a NULL in any column: this version of Flink's connector can't write one. An application's
destination sends such rows to the error stream instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from base.aws import Aws
from connectors.check import ConnectorError, require
from connectors.requirements import Requirements, Resource, allow, arn
from connectors.table_format import aws_options

#: Longest partition key, in UTF-8 bytes.
MOST_KEY_BYTES = 2048


@dataclass(frozen=True)
class DynamoDbSink:
    """A table that rows are put into.

    Parameters
    ----------
    table : str
        Its name.
    key : str
        Its partition key, a string, and the column of that name. The sink's statement has it in PARTITIONED BY.
    aws : Aws
        Where it is.
    """

    table: str
    key: str
    aws: Aws

    #: DynamoDB's limit for an item, names and values together; its JSON is larger.
    most_record_bytes: ClassVar[int] = 400 * 1024

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        return {
            "connector": "dynamodb",
            "table-name": self.table,
            # Rows wait at most this long for a batch to fill.
            "sink.flush-buffer.timeout": "500",
        } | aws_options(self.aws)

    def requires(self) -> Requirements:
        """The permissions and resources that this sink needs."""
        where = arn("dynamodb", f"table/{self.table}")
        return Requirements(
            [allow(where, "dynamodb:BatchWriteItem", "dynamodb:DescribeTable")],
            [Resource("AWS::DynamoDB::Table", self.table)],
        )

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the table exists and has that key."""
        what = f"DynamoDB table {self.table}"
        answer = require(self.aws, "dynamodb", what, "describe_table", TableName=self.table)
        found = [k["AttributeName"] for k in answer["Table"]["KeySchema"]]
        if found != [self.key]:
            raise ConnectorError(f"{what}: its key must be {self.key} alone, got {', '.join(found)}")
