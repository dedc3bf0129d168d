"""A standalone Flink cluster of real processes, from the pyflink wheel, without access to this repository."""

import json
import os
import shutil
import subprocess
import venv
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

import numba
import pytest
from packaging.requirements import Requirement

from infra import package
from pipeline import flink_version
from pipeline.application import Application
from tests import cluster
from tests.canaries import CREDENTIALS
from udfs.compiled import DIGEST


def closure(*names: str) -> set[str]:
    """These installed distributions and their dependencies, by normalized name."""
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop().lower().replace("_", "-").replace(".", "-")
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return seen


def managed_runtime(folder: Path) -> Path:
    """Make a virtual environment with only the packages of the managed service; return its Python.

    Its packages are those of this project's locked environment, as hard links, instead of a download of a gigabyte.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = _site_packages(folder)
    for name in closure("apache-flink"):
        _link(distribution(name), site)
    return folder / "bin" / "python"


def _site_packages(environment: Path) -> Path:
    return environment / "lib" / f"python{flink_version.PYTHON}" / "site-packages"


def unpacked(application: Application, folder: Path) -> Path:
    """The package of an application in an empty folder, which nobody may write to; credentials lay about."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in CREDENTIALS.items():
            patched.setenv(name, value)
        package.build(application, folder / "package.zip")
    with zipfile.ZipFile(folder / "package.zip") as archive:
        archive.extractall(folder)
    (folder / "package.zip").unlink()
    subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    return folder


def _link(installed: Distribution, site: Path) -> None:
    for file in installed.files or []:
        # Not scripts, which start the other environment's Python, nor caches, which belong to its paths.
        if ".." in file.parts or file.suffix == ".pyc":
            continue
        source, target = Path(str(installed.locate_file(file))), site / file
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)


class Cluster(cluster.Cluster):
    """A TaskManager of two slots, without access to this repository or its packages.

    Parameters
    ----------
    python : Path
        Of :func:`managed_runtime`.
    folder : Path
        For everything it writes.

    Attributes
    ----------
    machine_code : Path
        Where workers look for compiled functions, and keep those that they compile.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        options = {
            # The wheel's own.
            "jobmanager.memory.process.size": "1600m",
            "taskmanager.memory.process.size": "1728m",
            # Set by the managed service itself.
            "parallelism.default": "2",
            "execution.checkpointing.interval": "5 s",
            # The service would restart without end; here a failure must show.
            "restart-strategy.type": "none",
        }
        # The local AWS accepts any credentials. The service has no such variables. No process may write them anywhere.
        environment = {"HOME": "/nonexistent"} | CREDENTIALS
        home = _site_packages(python.parent.parent) / "pyflink"
        super().__init__(folder, python, home, 2, options, environment)
        # As on a machine where another worker has compiled the forest: of these sources, wherever they lie.
        self.machine_code = folder / "tmp" / f"kda-numba-{os.getuid()}-{DIGEST}"
        shutil.copytree(numba.config.CACHE_DIR, self.machine_code)

    def run(
        self, code: Path, groups: Mapping[str, Mapping[str, str]], properties: Path, *more: str
    ) -> subprocess.CompletedProcess[str]:
        """Start a package's job with a file of property groups, as the documentation says, and more options."""
        each = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
        properties.write_text(json.dumps(each))
        options = [word for key, value in package.RUN_OPTIONS.items() for word in (f"--{key}", value)]
        return self.flink_run(properties, *more, *options, cwd=code)
