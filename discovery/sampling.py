"""Samples a stream, or the files that a delivery stream wrote to S3, for schema discovery."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from discovery.schema import DiscoveryError
from infra.stream_reader import READ_SECONDS, StreamReader, StreamRecord

#: Most objects of a landing that are read, the newest first, and most bytes of each.
_MOST_OBJECTS, _MOST_BYTES = 20, 1_000_000
_MOST_PAGES = 20


def sample(
    kinesis: Any, stream: str, records: int, seconds: float, since: float, idle: float = math.inf
) -> list[StreamRecord]:
    """The newest records of a stream, including those of the last ``since`` seconds.

    Parameters
    ----------
    kinesis : boto3 client
    stream : str
    records : int
        Most records to return.
    seconds : float
        Longest time to wait for them.
    since : float
        Seconds before now to start reading from.
    idle : float
        Stop waiting if there are some records, and no new one came for this many seconds.

    Raises
    ------
    DiscoveryError
        There are no records.
    StreamError
        There is no such stream, or it can't be read.
    """
    start = datetime.now(UTC) - timedelta(seconds=since)
    found = _read(StreamReader(kinesis, stream, start), records, seconds, idle)
    if not found:
        raise DiscoveryError(
            f"stream {stream}: no record came within {seconds:g} s, and none in the {since:g} s before: "
            "send some, or look further back with --since"
        )
    return found


def _read(reader: StreamReader, records: int, seconds: float, idle: float) -> list[StreamRecord]:
    found: list[StreamRecord] = []
    newest = time.monotonic()
    deadline = newest + seconds
    while True:
        new, now = reader.read(records), time.monotonic()
        found += new
        newest = now if new else newest
        if len(found) >= records or now >= deadline or (found and now - newest >= idle):
            return found[-records:]
        time.sleep(READ_SECONDS)


def landing_of(firehose: Any, delivery_stream: str) -> str:
    """The folder that a delivery stream writes to: ``s3://bucket/prefix``, without the folders by time.

    Raises
    ------
    DiscoveryError
        It does not deliver to S3.
    """
    described = firehose.describe_delivery_stream(DeliveryStreamName=delivery_stream)
    for destination in described["DeliveryStreamDescription"]["Destinations"]:
        s3 = destination.get("ExtendedS3DestinationDescription") or destination.get(
            "S3DestinationDescription"
        )
        if s3 and s3.get("BucketARN"):
            prefix = str(s3.get("Prefix") or "").partition("!{")[0]
            return f"s3://{s3['BucketARN'].rpartition(':')[2]}/{prefix}"
    raise DiscoveryError(f"delivery stream {delivery_stream}: required one that delivers to S3")


def stored(s3: Any, path: str) -> bytes:
    """The first megabyte of an object, such as a reference table's file, in whole lines.

    Raises
    ------
    DiscoveryError
        The object is empty.
    """
    bucket, _, key = path.removeprefix("s3://").partition("/")
    found = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_MOST_BYTES - 1}")
    data: bytes = found["Body"].read()
    if len(data) == _MOST_BYTES:
        data = data[: data.rfind(b"\n") + 1] or data
    if not data.strip():
        raise DiscoveryError(f"{path}: required data, but the object is empty")
    return data


def landed(s3: Any, path: str, records: int) -> list[StreamRecord]:
    """The newest records, one per line, in the objects under a path.

    Raises
    ------
    DiscoveryError
        There are no records.
    """
    bucket, _, prefix = path.removeprefix("s3://").partition("/")
    objects: list[dict[str, Any]] = []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for number, page in enumerate(pages):
        objects += page.get("Contents", [])
        if number >= _MOST_PAGES:
            break
    newest = sorted((o for o in objects if o["Size"]), key=lambda o: o["LastModified"], reverse=True)
    found: list[StreamRecord] = []
    for each in newest[:_MOST_OBJECTS]:
        bytes_ = s3.get_object(Bucket=bucket, Key=each["Key"], Range=f"bytes=0-{_MOST_BYTES - 1}")[
            "Body"
        ].read()
        lines = bytes_.splitlines()
        if each["Size"] > _MOST_BYTES:
            del lines[-1:]
        found += [StreamRecord(line, each["LastModified"], each["Key"], "") for line in lines if line.strip()]
        if len(found) >= records:
            break
    if not found:
        raise DiscoveryError(f"{path}: required objects with records, found none yet")
    return found[:records]
