"""Flink in this process: a mini-cluster that runs jobs locally, with its state under ``.kda/flink``.

Everything that differs from a deployed job is in this module: the paths of jars and checkpoints, the port of the
dashboard, and the S3 file system, which a mini-cluster does not load by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from base.aws import LOCAL_CREDENTIALS
from base.errors import KdaError
from infra import class_archive, worker_pool
from infra.java import java_home, remember_names
from infra.loopback import listen_on_loopback
from infra.paths import BUILD, FLINK, ROOT
from infra.saved_state import savepoint_folder
from pipeline import flink_version

CONFIGURATION = ROOT / "flink-conf"
CONNECTORS = BUILD / "connectors.jar"
PLUGINS = BUILD / flink_version.BUILT / "plugins"


#: Lock files, kept open until the process ends.
_CLAIMS: list[IO[str]] = []


class FlinkError(KdaError):
    """Flink can't run here; the message says what to do."""


@dataclass(frozen=True)
class Running:
    """A job that runs on this machine.

    Attributes
    ----------
    pid : int
        Process that runs the mini-cluster.
    rest : str
        URL of Flink's REST API and dashboard.
    job_id : str
        Flink's id of the job.
    application : str
        The application's folder; empty if not known.
    """

    pid: int
    rest: str
    job_id: str
    application: str = ""


def prepare(endpoint: str | None, folder: Path = FLINK, *, short: bool = False) -> None:
    """Set the environment of the JVM and its Python workers, and start the JVM. Call it before importing Flink.

    Parameters
    ----------
    endpoint : str or None
        URL of the local AWS, whose credentials every client in the JVM gets. None: the default credential chain.
    folder : Path
        Folder of logs and temporary files.
    short : bool
        It runs for seconds: the JVM compiles quickly rather than well, for half of the CPU time.

    Raises
    ------
    FlinkError
        The connector jar is missing.
    JavaError
        No suitable Java is found.
    """
    if flink_version.AWS_CONNECTORS and not CONNECTORS.exists():
        raise FlinkError(f"{CONNECTORS} is missing: run `make setup`")
    # apache-beam warns at every import, and users can't do anything about it.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    import pyflink

    for name in ("log", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # A parent process that runs Flink itself (a test, say) sets these variables. They would forbid a JVM here, run our
    # workers in that process, or name another Flink's folders.
    inherited = ("PYFLINK_", "PYTHON_LOOPBACK_", "FLINK_LIB_", "FLINK_OPT_")
    for name in [n for n in os.environ if n.startswith(inherited)]:
        del os.environ[name]
    jvm = [os.environ.get("JVM_ARGS", ""), f"-Djava.io.tmpdir={folder / 'tmp'}", *class_archive.options()]
    if short:
        jvm.append("-XX:TieredStopAtLevel=1")
    os.environ |= {
        # If it is not set, PyFlink sets it, and replaces the plugin folder by its own.
        "FLINK_HOME": str(Path(pyflink.__file__).parent),
        "FLINK_CONF_DIR": str(CONFIGURATION),
        "FLINK_LOG_DIR": str(folder / "log"),
        "FLINK_PLUGINS_DIR": str(PLUGINS),
        "JAVA_HOME": str(java_home()),
        # A killed JVM leaves temporary files of a hundred megabytes: keep them out of the system's folder.
        "JVM_ARGS": " ".join(jvm).strip(),
    }
    if flink_version.AWS_CONNECTORS:
        # PyFlink adds this to the JVM's class path. As a jar of the job, it would be hashed and copied three times and
        # its classes loaded again at each start of a job.
        paths = [
            p for p in os.environ.get("HADOOP_CLASSPATH", "").split(os.pathsep) if p and p != str(CONNECTORS)
        ]
        os.environ["HADOOP_CLASSPATH"] = os.pathsep.join([*paths, str(CONNECTORS)])
    if endpoint:
        # With CBOR, arrival times of local emulators are read as January 1970, and no window ever closes. Not for the
        # real AWS: without CBOR the client sends a position's time wrong.
        os.environ |= {"AWS_CBOR_DISABLE": "1", "CBOR_ENABLED": "false"}
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = LOCAL_CREDENTIALS
        os.environ.pop("AWS_SESSION_TOKEN", None)
    worker_pool.install()
    remember_names()
    listen_on_loopback()


def cluster(
    job: str,
    *,
    folder: Path = FLINK,
    rest_port: int = 0,
    resume_from: str | None = None,
    short: bool = False,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the mini-cluster's configuration for one job.

    Parameters
    ----------
    job : str
        Name of the job and of the folders of its checkpoints and savepoints.
    folder : Path
        Folder of all state.
    rest_port : int
        Port of the REST API and dashboard, on loopback; 0: any free one.
    resume_from : str or None
        Path of a savepoint or retained checkpoint.
    short : bool
        It is only planned, or runs for seconds.
    overrides : mapping or None
        Options that replace the ones above.
    """
    configuration = _flat(yaml.safe_load((CONFIGURATION / "config.yaml").read_text()))
    configuration.pop("env.java.opts.all")
    configuration |= {
        "pipeline.name": job,
        "execution.checkpointing.dir": (folder / "checkpoints" / job).as_uri(),
        "execution.checkpointing.savepoint-dir": savepoint_folder(job, folder).as_uri(),
        "io.tmp.dirs": str(folder / "tmp"),
        "python.executable": str(worker_pool.PYTHON),
        "rest.bind-port": str(rest_port or "0"),
        "rest.port": str(rest_port or "0"),
    }
    if short:
        # Code is split for the JVM's second compiler, which leaves long methods alone: a third of the planning.
        configuration["table.generated-code.max-length"] = "60000"
    if resume_from:
        configuration["execution.state-recovery.path"] = resume_from
        # Callers check beforehand which state no longer fits, and ask whether it may be dropped (`lost_state`).
        configuration["execution.state-recovery.ignore-unclaimed-state"] = "true"
    return configuration | dict(overrides or {})


def load_s3(endpoint: str | None) -> None:
    """Load the S3 file system into the running JVM, which a mini-cluster does not do by itself."""
    from pyflink.common import Configuration
    from pyflink.java_gateway import get_gateway

    configuration = Configuration()
    if endpoint:
        key, secret = LOCAL_CREDENTIALS
        for option, value in {
            "s3.endpoint": endpoint,
            "s3.path.style.access": "true",
            "s3.access-key": key,
            "s3.secret-key": secret,
        }.items():
            configuration.set_string(option, value)
    core = get_gateway().jvm.org.apache.flink.core
    plugins = core.plugin.PluginUtils.createPluginManagerFromRootFolder(configuration._j_configuration)
    core.fs.FileSystem.initialize(configuration._j_configuration, plugins)


def claim(job: str, folder: Path = FLINK) -> None:
    """Lock a job for this process until it ends.

    Call it first, so that one of two processes that start at the same time is refused. The system releases the lock
    even if the process is killed.

    Raises
    ------
    FlinkError
        Another process has the lock.
    """
    path = folder / "running" / f"{job}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "of another terminal"
        lock.close()
        raise FlinkError(f"{job} runs already, as process {holder}: see `kda status`") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    _CLAIMS.append(lock)


@contextlib.contextmanager
def registered(
    job: str, port: int, job_id: str, folder: Path = FLINK, application: Path | None = None
) -> Iterator[None]:
    """Let other commands find the running job and its application's folder while the block runs."""
    path = folder / "running" / f"{job}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"pid": os.getpid(), "rest": f"http://127.0.0.1:{port}", "job_id": job_id}
    path.write_text(json.dumps(entry | {"application": str(application.resolve()) if application else ""}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(job: str, folder: Path = FLINK) -> Running | None:
    """The job if `kda run` is running it, or None."""
    path = folder / "running" / f"{job}.json"
    with contextlib.suppress(OSError, ValueError):
        found = Running(**json.loads(path.read_text()))
        urllib.request.urlopen(f"{found.rest}/jobs/{found.job_id}", timeout=5).close()  # noqa: S310
        return found
    return None


def started_here(folder: Path = FLINK) -> dict[str, Path | None]:
    """Jobs that `kda run` started and that run or were killed, with their applications' folders."""
    found: dict[str, Path | None] = {}
    for path in sorted((folder / "running").glob("*.json")):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            application = json.loads(path.read_text()).get("application")
            found[path.stem] = Path(application) if application else None
    return found


def root_cause(rest: str, job_id: str) -> str:
    """Why a job failed: the last line of its Python traceback, or Java's last cause."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        with urllib.request.urlopen(f"{rest}/jobs/{job_id}/exceptions", timeout=5) as answer:  # noqa: S310
            entries = json.load(answer)["exceptionHistory"]["entries"]
        return cause(entries[0]["stacktrace"])
    return f"see the log under {os.environ.get('FLINK_LOG_DIR', FLINK / 'log')}"


def cause(stacktrace: str) -> str:
    """The line of a Java stack trace that says why: the error of its last Python traceback, or its last cause.

    Examples
    --------
    >>> cause("Failed\\nCaused by: E: Traceback (most recent call last):\\n  File f\\nKeyError: 'price'\\n\\n at y")
    "KeyError: 'price'"
    """
    lines = stacktrace.splitlines()
    python = [i for i, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    for start in reversed(python):
        for line in lines[start + 1 :]:
            if line and not line.startswith((" ", "\t")):
                return line
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else lines[0]) if lines else "no reason given"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: str(value)}
    return flat
