"""The archive of Flink's classes, which set-up makes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.java import java_home
from infra.paths import ROOT

pytestmark = pytest.mark.flink

START = """
from pathlib import Path
from infra import flink
flink.prepare("http://127.0.0.1:1", Path("."))
from pyflink.java_gateway import get_gateway
get_gateway().jvm.org.apache.flink.configuration.Configuration()
"""


@pytest.mark.skipif('JAVA_VERSION="11' in (java_home() / "release").read_text(), reason="Java 11 makes none")
def test_a_jvm_takes_flinks_classes_from_it(tmp_path: Path) -> None:
    loaded = tmp_path / "loaded"
    environment = os.environ | {"JVM_ARGS": f"-Xlog:class+load:file={loaded}", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", START], env=environment, cwd=tmp_path, check=True)
    (line,) = (
        line
        for line in loaded.read_text().splitlines()
        if " org.apache.flink.configuration.Configuration " in line
    )
    assert line.endswith("source: shared objects file (top)")
