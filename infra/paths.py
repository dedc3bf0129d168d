"""Where things live in a clone. Nothing is written outside these folders."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: State of this clone: the local AWS, Flink's logs and savepoints, reports. ``KDA_STATE`` moves it.
STATE = Path(os.environ.get("KDA_STATE") or ROOT / ".kda")
#: Applications that were made or imported here.
APPLICATIONS = STATE / "applications"
#: What set-up and packaging make: the connector jar, the S3 plugin, the deployable zip.
BUILD = ROOT / "build"
