"""Where things live in a clone. Nothing is written outside these folders."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: State of this clone: the local AWS, Flink's configuration and logs, savepoints, reports.
STATE = ROOT / ".kda"
#: What set-up and packaging make: the connector jar, the S3 plugin, the deployable zip.
BUILD = ROOT / "build"
