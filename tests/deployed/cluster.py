"""A standalone Flink cluster of real processes, from the pyflink wheel, without access to this repository."""

import contextlib
import json
import os
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from infra import child, flink, package, supervisor
from infra.java import java_home
from infra.loopback import free_port
from pipeline import flink_version
from pipeline.application import Application
from tests.canaries import CREDENTIALS
from tests.jvm import SHORT_LIVED
from tests.rest_cluster import RestCluster


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


@dataclass(frozen=True)
class Cluster(RestCluster):
    """A running cluster.

    Attributes
    ----------
    home : Path
        FLINK_HOME.
    folder : Path
        Everything it writes: configuration, logs, temporary files, checkpoints.
    rest : str
        URL of its REST interface.
    environment : dict
        What its processes were started with.
    """

    home: Path
    folder: Path
    rest: str
    environment: dict[str, str]

    def run(
        self, code: Path, groups: Mapping[str, Mapping[str, str]], properties: Path, *more: str
    ) -> subprocess.CompletedProcess[str]:
        """Start a package's job with a file of property groups, as the documentation says, and more options."""
        each = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
        properties.write_text(json.dumps(each))
        options = [word for key, value in package.RUN_OPTIONS.items() for word in (f"--{key}", value)]
        return subprocess.run(
            [self.home / "bin" / "flink", "run", "--detached", *more, *options],
            cwd=code,
            env=self.environment | {"APPLICATION_PROPERTIES": str(properties)},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def why(self) -> str:
        """The ends of the logs."""
        logs = sorted((self.folder / "log").glob("*.out")) + sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"== {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in logs)


@contextlib.contextmanager
def running_cluster(python: Path, folder: Path, task_managers: int = 2) -> Iterator[Cluster]:
    """A JobManager and TaskManagers of one slot each, for as long as the block lasts."""
    home = _site_packages(python.parent.parent) / "pyflink"
    for name in ("conf", "log", "pid", "tmp"):
        (folder / name).mkdir(parents=True)
    for path in (home / "conf").iterdir():
        (folder / "conf" / path.name).write_bytes(path.read_bytes())
    # Required of a cluster by docs/deploy.md.
    ours = (flink.CONFIGURATION / "log4j-cli.properties").read_text().splitlines()
    for name in ("log4j-cli.properties", "log4j-console.properties"):
        with (folder / "conf" / name).open("a") as conf:
            conf.writelines(
                f"\n{line}" for line in ours if line.startswith(("logger.beam.", "logger.python."))
            )
    rpc, rest = free_port(), free_port()
    configuration = yaml.safe_load((home / "conf" / "config.yaml").read_text())
    configuration["env"]["java"]["opts"]["all"] += f" -Djava.io.tmpdir={folder / 'tmp'}"
    configuration["jobmanager"]["rpc"]["port"] = rpc
    configuration |= {
        # Set by the managed service itself.
        "rest.port": rest,
        "rest.bind-port": rest,
        "io.tmp.dirs": str(folder / "tmp"),
        "parallelism.default": task_managers,
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
        # A TaskManager that starts before the JobManager would try again after ten seconds.
        "cluster.registration.error-delay": "200 ms",
        # The service would restart without end; here a failure must show.
        "restart-strategy.type": "none",
    }
    (folder / "conf" / "config.yaml").write_text(yaml.safe_dump(configuration))
    java = java_home()
    environment = {
        # `python` is the runtime's, for the client and for the workers.
        "PATH": f"{python.parent}:{java / 'bin'}:/usr/bin:/bin",
        "JAVA_HOME": str(java),
        "HOME": "/nonexistent",
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(folder / "conf"),
        "FLINK_LOG_DIR": str(folder / "log"),
        "FLINK_PID_DIR": str(folder / "pid"),
        # The local AWS accepts any credentials. The service has no such variables. No process may write them anywhere.
        **CREDENTIALS,
        "AWS_CBOR_DISABLE": "1",
        "CBOR_ENABLED": "false",
        "JVM_ARGS": SHORT_LIVED,
    }
    cluster = Cluster(home, folder, f"http://localhost:{rest}", environment)
    with contextlib.ExitStack() as processes:
        for name in ["jobmanager"] + ["taskmanager"] * task_managers:
            log = processes.enter_context(open(folder / "log" / f"{name}.{time.monotonic_ns()}.out", "w"))
            # In the foreground the script becomes the JVM itself. It ends with these tests, even when they are killed.
            supervised = [sys.executable, "-P", supervisor.__file__, str(os.getpid())]
            process = subprocess.Popen(
                [*supervised, home / "bin" / f"{name}.sh", "start-foreground"],
                start_new_session=True,
                # Python workers inherit it and look for modules in it first: it must not be the repository.
                cwd=folder / "tmp",
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            processes.callback(child.kill, process)

        try:
            cluster.wait(
                lambda: cluster.get("/overview")["taskmanagers"] == task_managers, "the TaskManagers"
            )
        except AssertionError as e:
            raise AssertionError(f"{e}\n{cluster.why()}") from None
        yield cluster
