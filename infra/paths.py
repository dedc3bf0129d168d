"""Folders of a clone. Nothing is written outside of them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: State of this clone: the local AWS, Flink's logs and savepoints, reports. Set by ``KDA_STATE``.
STATE = Path(os.environ.get("KDA_STATE") or ROOT / ".kda")
#: Applications that were made or imported on this machine.
APPLICATIONS = STATE / "applications"
#: Jobs' logs, checkpoints and savepoints.
FLINK = STATE / "flink"
#: Results of set-up and packaging: the connector jar, the S3 plugin, the deployable zip.
BUILD = ROOT / "build"
