"""Finds a Java version that Flink supports, and asks its JVM for names once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from base.errors import KdaError
from pipeline import flink_version


class JavaError(KdaError):
    """There is no suitable Java here; the message says what to install."""


def java_home() -> Path:
    """The home of a Java version that Flink supports.

    Raises
    ------
    JavaError
        There is none in JAVA_HOME, on the path, or in ``/usr/lib/jvm``.
    """
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if java := shutil.which("java"):
        candidates.append(Path(java).resolve().parent.parent)
    candidates += sorted(Path("/usr/lib/jvm").glob("*/"), reverse=True)
    versions = []
    for home in candidates:
        version = _java_version(home)
        if version in flink_version.JAVA:
            return home
        versions += [f"{version} at {home}"] if version else []
    raise JavaError(
        f"Java {' or '.join(map(str, flink_version.JAVA))} is required, got {', '.join(versions) or 'none'}: "
        "apt-get install openjdk-17-jdk-headless"
    )


def _java_version(home: Path) -> int | None:
    try:
        shown = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30
        ).stderr
    except OSError:
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(match.group(1)) if match else None


@cache
def remember_names() -> None:
    """Ask the JVM once for each package and class. py4j asks at each use, and the JVM looks into all jars each time."""
    from py4j.java_gateway import JavaClass, JavaPackage, JVMView

    for kind in (JVMView, JavaPackage):

        def remembered(self: Any, name: str, ask: Any = kind.__getattr__) -> Any:
            found = ask(self, name)
            # Any name that is no class is a package to py4j, even of a class whose jar comes later.
            if isinstance(found, JavaClass) or name.islower():
                self.__dict__[name] = found
            return found

        kind.__getattr__ = remembered
