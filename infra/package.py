"""Builds one zip that runs on Managed Service for Apache Flink and on any Flink cluster of the same version.

::

    main.py              the entry point: jobs/main.py
    lib/connectors.jar   the one connector jar
    packages/            our packages, and the Python libraries that the service lacks, unpacked
    packages/jobs/       the applications: the labs, and the one that it was built for

``packages/`` is a folder instead of an inner zip, as Python can't import compiled modules from a zip. Flink puts it on
the path of the process that builds the job and of every Python worker (``pyFiles``).

The same files give the same bytes: entries are sorted, and all have the same time and mode.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from base.errors import KdaError
from infra.paths import BUILD, ROOT
from pipeline import flink_version
from pipeline.application import DESCRIPTION, Application

PACKAGE = BUILD / flink_version.BUILT / "kda-on-flink.zip"
WHEELS = BUILD / flink_version.BUILT / "wheels"
CONNECTORS = BUILD / "connectors.jar"
LOCK = ROOT / flink_version.LOCK

#: The property group that tells the service the paths in the zip.
RUN_OPTIONS = {"python": "main.py", "pyFiles": "packages/"}
if flink_version.AWS_CONNECTORS:
    RUN_OPTIONS["jarfile"] = "lib/connectors.jar"
#: Our packages that a running job imports.
OURS = ("base", "connectors", "jobs", "pipeline", "udfs")

#: Packages that the service has, together with all their dependencies.
PROVIDED = ("apache-flink", "numpy", "pandas", "pyarrow")
#: Packages that are bundled, in the lock file's versions: our dependencies without those.
BUNDLED = (
    "annotated-types",
    "boto3",
    "botocore",
    "h2",
    "hpack",
    "hyperframe",
    "jmespath",
    "llvmlite",
    "msgspec",
    "numba",
    "pydantic",
    "pydantic-core",
    "python-dateutil",
    "pyyaml",
    "s3transfer",
    "six",
    "typing-extensions",
    "typing-inspection",
    "urllib3",
)
#: The service's limit of a zip, in bytes.
LIMIT = 512 * 1024**2
#: Platform of compiled wheels: the oldest glibc (2.17), as the service's version is not known.
PLATFORM = "manylinux2014_x86_64"

_TIME = (1980, 1, 1, 0, 0, 0)
_PACKED_ALREADY = (".jar", ".gz")
# Half the time of zlib's usual 6, for 2 % more bytes.
_LEVEL = 4
_UNWANTED = re.compile(
    r"(^|/)(tests?|__pycache__|\.[^/]*)(/|$)|\.(pyc|pem|key|p12)$|(^|/)(credentials|application_properties\.json)$"
    # Documentation of botocore, with private keys as examples.
    r"|(^|/)examples-\d+\.json$"
)
# A list of public certificate authorities, not a key in spite of its suffix.
_WANTED = ("packages/botocore/cacert.pem",)
# An application may be called test.
_APPLICATION = re.compile(r"packages/jobs/\w+/\w+\.(sql|yaml)")
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_ACCESS_KEY = re.compile(rb"\b(AKIA|ASIA)[A-Z0-9]{16}\b")


class PackageError(KdaError):
    """The package can't be built or must not be deployed; the message says why."""


@dataclass(frozen=True)
class Contents:
    """The contents of a package.

    Attributes
    ----------
    path : Path
    size : int
        Bytes of the zip.
    parts : dict
        Compressed bytes by part: ``main.py``, the jar, each folder or module of ``packages/``.
    """

    path: Path
    size: int
    parts: dict[str, int]


def build(application: Application | None = None, path: Path = PACKAGE) -> Contents:
    """Build the package and check it.

    It has the project's applications, and `application`, which replaces one of the same name.

    Wheels are downloaded once, to :data:`WHEELS`; after that no network is needed.

    Raises
    ------
    PackageError
        The connector jar is missing, a wheel can't be downloaded, or :func:`check` refuses the result.
    """
    entries = {RUN_OPTIONS["python"]: (ROOT / "jobs" / "main.py").read_bytes()}
    if jar := RUN_OPTIONS.get("jarfile"):
        if not CONNECTORS.exists():
            raise PackageError(f"{CONNECTORS} is missing: run `make setup`")
        entries[jar] = CONNECTORS.read_bytes()
    for package in OURS:
        for file in sorted((ROOT / package).rglob("*")):
            if _needed(file):
                entries[f"packages/{file.relative_to(ROOT).as_posix()}"] = file.read_bytes()
    if application is not None:
        folder = f"packages/jobs/{application.name}/"
        entries = {name: content for name, content in entries.items() if not name.startswith(folder)}
        entries |= {
            f"{folder}{file.name}": file.read_bytes()
            for file in application.folder.iterdir()
            if _needed(file)
        }
    for wheel in wheels():
        entries |= dict(_unpacked(wheel))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            packed = name.endswith(_PACKED_ALREADY)
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.writestr(info, entries[name], compresslevel=_LEVEL)
    contents = check(unfinished)
    unfinished.replace(path)
    return Contents(path, contents.size, contents.parts)


def check(path: Path) -> Contents:
    """Check every file of a package.

    Raises
    ------
    PackageError
        The package is too large, lacks a part, or has tests, secrets, packages of the service, or another jar.
    """
    size = path.stat().st_size
    if size > LIMIT:
        raise PackageError(f"{path.name} must be at most {LIMIT:,} bytes, got {size:,}")
    parts: dict[str, int] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename
            problem = _problem(name, archive.read(info))
            if problem:
                raise PackageError(f"{path.name}: {name}: {problem}")
            folders = PurePosixPath(name).parts
            part = "/".join(folders[:2]) if folders[0] == "packages" else name
            parts[part] = parts.get(part, 0) + info.compress_size
    for required in RUN_OPTIONS.values():
        if not required.endswith("/") and required not in parts:
            raise PackageError(f"{path.name}: {required} is missing")
    return Contents(path, size, parts)


def _needed(file: Path) -> bool:
    """Whether a job needs a file of our packages; of an application, only its description and queries."""
    if (file.parent / DESCRIPTION).exists():
        return file.name == DESCRIPTION or file.suffix == ".sql"
    return file.suffix in (".py", ".sql")


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wheels() -> list[Path]:
    """The wheels of :data:`BUNDLED`, each with a hash of the lock file; missing ones are downloaded.

    Raises
    ------
    PackageError
        A package is not in the lock file, or its version has no wheel for the service's platform.
    """
    locked = _locked()
    missing = [name for name in BUNDLED if name not in locked]
    if missing:
        raise PackageError(f"{LOCK.name} must name {', '.join(missing)}")
    WHEELS.mkdir(parents=True, exist_ok=True)
    found = _found(locked)
    absent = [name for name in BUNDLED if name not in found]
    if absent:
        _download([locked[name] for name in absent])
        found = _found(locked)
    return [found[name] for name in BUNDLED]


def _locked() -> dict[str, str]:
    """The lock file's requirements by name, each with its hashes."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", LOCK.read_text())
    return {block.split("==")[0]: block for block in blocks if "==" in block}


def _found(locked: dict[str, str]) -> dict[str, Path]:
    found = {}
    for wheel in sorted(WHEELS.glob("*.whl")):
        name = wheel.name.split("-")[0].replace("_", "-").lower()
        if name in BUNDLED and f"sha256:{digest(wheel)}" in locked[name]:
            found[name] = wheel
    return found


def _download(requirements: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(requirements))
        file.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--platform", PLATFORM]
        command += ["--implementation", "cp", "--python-version", flink_version.PYTHON]
        command += ["--requirement", file.name, "--dest", str(WHEELS)]
        ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        names = ", ".join(requirement.split(" ")[0] for requirement in requirements)
        last = (ended.stderr.strip() or "no reason given").splitlines()[-1]
        raise PackageError(f"no wheel of {names} for {PLATFORM} and Python {flink_version.PYTHON}: {last}")


def _unpacked(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """A wheel's installed files, without tests, scripts and the list of files."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = f"packages/{info.filename}"
            installed = not re.match(r"[^/]+\.(data/|dist-info/RECORD)", info.filename)
            if not info.is_dir() and installed and (name in _WANTED or not _UNWANTED.search(name)):
                yield name, archive.read(info)


def _problem(name: str, content: bytes) -> str | None:
    """Why this file must not be in the package, or None."""
    first, *rest = PurePosixPath(name).parts
    if _UNWANTED.search(name) and name not in _WANTED and not _APPLICATION.fullmatch(name):
        return "tests, caches, keys and local settings must not be in the package"
    if name.endswith(".jar") and name != RUN_OPTIONS.get("jarfile"):
        return "the connector jar is the only jar"
    if first == "packages" and rest[0] in ("pyflink", "numpy", "pandas", "pyarrow"):
        return "the service has this package"
    if _PRIVATE.search(content):
        return "it has a private key"
    if rest[:1] and rest[0] in OURS and _ACCESS_KEY.search(content):
        return "it has an access key"
    return None
