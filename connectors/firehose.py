"""Amazon Data Firehose: a delivery stream as sink, its S3 landing as source.

Sink. Delivery: at least once. Order: none promised. Batches: 500 records, 4 MB. A record that Firehose refuses is
sent again until it is taken; back-pressure meanwhile. Flink writes one JSON object a record without a newline; the
delivery stream's AppendDelimiterToRecord puts one.

Source: see :class:`FirehoseLanding`.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.check import require


@dataclass(frozen=True)
class FirehoseSink:
    """A delivery stream to write JSON rows to.

    Parameters
    ----------
    delivery_stream, region : str
        Which delivery stream.
    endpoint : str or None
        Another address for Firehose; the only difference between a local AWS and the real one.
    """

    delivery_stream: str
    region: str
    endpoint: str | None = None

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        options = {
            "connector": "firehose",
            "delivery-stream": self.delivery_stream,
            "aws.region": self.region,
            "format": "json",
            "json.timestamp-format.standard": "SQL",
            # Rows wait at most this long for a batch to fill.
            "sink.flush-buffer.timeout": "500",
        }
        if self.endpoint:
            options["aws.endpoint"] = self.endpoint
            # Flink's Firehose sink talks HTTP/2 by itself; a plain-HTTP endpoint has only HTTP/1.1.
            options["sink.http-client.protocol.version"] = "HTTP1_1"
        return options

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the delivery stream is there."""
        what = f"Firehose delivery stream {self.delivery_stream}"
        name = self.delivery_stream
        require(
            "firehose", self.region, self.endpoint, what, "describe_delivery_stream", DeliveryStreamName=name
        )
