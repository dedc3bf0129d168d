"""An archive of Flink's classes, in the form that the JVM keeps them in: every start of Flink then takes less CPU time.

``python -m infra.class_archive``, which `make setup` runs, makes it. A JVM that it does not fit, of another version
say, loads its classes as if there was none. It is Java's "application class data sharing" (JEP 350).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.paths import BUILD
from pipeline import flink_version

#: Not part of any package: it fits only the jars and the Java of this machine.
ARCHIVE = BUILD / flink_version.BUILT / "classes.jsa"
# Else each class that can't be archived is a line, and each start without a fitting archive a warning.
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"


def options() -> list[str]:
    """JVM options that use the archive; none if there is no archive."""
    return [f"-XX:SharedArchiveFile={ARCHIVE}", *_QUIET.split()] if ARCHIVE.exists() else []


def make() -> bool:
    """Archive the classes that `kda check` of a lab loads, which plans it and runs its tests.

    Returns
    -------
    bool
        Whether there is an archive now: Java 11 makes none.
    """
    ARCHIVE.unlink(missing_ok=True)
    # A truncated archive crashes the JVM that reads it: so it gets its name when it is whole.
    unfinished = ARCHIVE.with_suffix(f".{os.getpid()}")
    environment = os.environ | {"JVM_ARGS": f"-XX:ArchiveClassesAtExit={unfinished} {_QUIET}"}
    command = [str(Path(sys.executable).with_name("kda")), "check", "ctr"]
    # The JVM writes the archive when its job is done, and ends after the command: when all its output is read.
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"kda check ctr: {done.stdout}{done.stderr}")
    if unfinished.exists():
        unfinished.replace(ARCHIVE)
    return ARCHIVE.exists()


if __name__ == "__main__":
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size >> 20} MB" if make() else "this Java makes no archive")
