"""A job that counts a stream's records by second, and the expected counts to compare with."""

from __future__ import annotations

import collections
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.kinesis import KinesisSource
from infra.stream_reader import all_records
from pipeline.application import parse
from pipeline.pipeline import Pipeline
from pipeline.settings import settings

_COUNTS = """
    SELECT CAST(window_start AS STRING), COUNT(*), COUNT(DISTINCT id)
    FROM TABLE(TUMBLE(TABLE counted, DESCRIPTOR(rowtime), INTERVAL '1' SECOND))
    GROUP BY window_start, window_end
    UNION ALL SELECT error_name, -1, 0 FROM counted_errors
"""


@dataclass(frozen=True)
class Counts:
    """The results so far of the runs that write to one folder.

    Attributes
    ----------
    windows : dict
        Records by second of arrival, as ``yyyy-MM-dd HH:mm:ss.SSS``; if a second comes twice, the counts are added.
    doubles : int
        Records that were counted twice in one second.
    errors : Counter
        Rows of the error stream by name.
    """

    windows: dict[str, int]
    doubles: int
    errors: dict[str, int]

    def total(self) -> int:
        return sum(self.windows.values())


class Counting:
    """A running job that writes, exactly once, to a folder.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        With checkpoints: rows are seen when one has completed.
    folder : Path
        Several runs, one after the other, may share it.
    source : KinesisSource
        Of records ``{"id": number}``.
    """

    def __init__(self, table_env: Any, folder: Path, source: KinesisSource) -> None:
        self._rows = folder / "rows"
        self._rows.mkdir(parents=True, exist_ok=True)
        tree = {"title": "Counts", "sources": {"counted": {"stream": "counted", "columns": {"id": "BIGINT"}}}}
        application = parse(tree, name="counts", folder=folder, queries={})
        Pipeline(table_env, application, settings(application, {}), {"counted": source})
        table_env.execute_sql(
            "CREATE TEMPORARY TABLE seen (name STRING, records BIGINT, ids BIGINT)"
            f" WITH ('connector' = 'filesystem', 'path' = '{self._rows.as_uri()}', 'format' = 'json',"
            " 'sink.rolling-policy.rollover-interval' = '500 ms', 'sink.rolling-policy.check-interval' = '500 ms')"
        )
        self.client = table_env.execute_sql(f"INSERT INTO seen {_COUNTS}").get_job_client()

    def counts(self) -> Counts:
        """The counts of all rows so far."""
        files = [f for f in self._rows.iterdir() if not f.name.startswith((".", "_"))]
        rows = [json.loads(line) for f in files for line in f.read_text().splitlines()]
        windows: dict[str, int] = collections.defaultdict(int)
        for row in rows:
            if row["records"] > 0:
                windows[row["name"]] += row["records"]
        doubles = sum(row["records"] - row["ids"] for row in rows if row["records"] > 0)
        return Counts(
            dict(windows), doubles, collections.Counter(r["name"] for r in rows if r["records"] < 0)
        )

    def wait(self, records: int, seconds: float) -> Counts:
        """Return when this many records are counted; TimeoutError, with the counts so far, if they are not in time."""
        deadline = time.monotonic() + seconds
        while (counts := self.counts()).total() < records:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{counts.total()} of {records} records counted, errors {dict(counts.errors)}"
                )
            time.sleep(0.2)
        return counts


class Producer:
    """Puts numbered records on a stream, at a rate, from a thread or not."""

    def __init__(self, client: Any, stream: str) -> None:
        self._client = client
        self._stream = stream
        self.sent = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, records: int, seconds: float) -> None:
        """Send ``records`` records, spread evenly over ``seconds``; refused ones are sent again."""
        begin, first = time.monotonic(), self.sent
        while self.sent < first + records and not self._stop.is_set():
            batch = [
                {"Data": json.dumps({"id": i}).encode(), "PartitionKey": str(i)}
                for i in range(self.sent, min(self.sent + 50, first + records))
            ]
            while batch:
                answers = self._client.put_records(StreamName=self._stream, Records=batch)["Records"]
                refused = [r for r, a in zip(batch, answers, strict=True) if "ErrorCode" in a]
                self.sent += len(batch) - len(refused)
                batch = refused
            self._stop.wait(max(0.0, begin + seconds * (self.sent - first) / records - time.monotonic()))

    def start(self, records: int, seconds: float) -> None:
        """The same, in a thread."""
        self._thread = threading.Thread(target=self.put, args=(records, seconds), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        if self._thread:
            self._thread.join()


def truth(client: Any, stream: str) -> dict[str, int]:
    """Records by second of arrival, read from all shards of the stream, closed ones too."""
    counts: dict[str, int] = collections.defaultdict(int)
    for record in all_records(client, stream):
        second = time.gmtime(round(record["ApproximateArrivalTimestamp"].timestamp() * 1000) // 1000)
        counts[time.strftime("%Y-%m-%d %H:%M:%S.000", second)] += 1
    return dict(counts)
