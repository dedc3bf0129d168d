"""The deployable package: the same bytes again, what it holds, and what it refuses."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import package
from tests.deployed.cluster import closure
from tests.fleet import fleet

#: Bytes of a wheel that is quickly packed again.
SMALL = 100_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> package.Contents:
    return package.build(path=tmp_path_factory.mktemp("package") / "package.zip")


def test_bundled_is_what_our_dependencies_need_and_the_service_lacks() -> None:
    ours = closure("boto3", "h2", "msgspec", "numba", "pydantic", "PyYAML")
    assert ours - closure(*package.PROVIDED) <= set(package.BUNDLED) <= ours - set(package.PROVIDED)


def test_the_same_files_give_the_same_bytes_and_what_lies_about_does_not_get_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = tmp_path / "connectors.jar"
    jar.write_bytes(b"jar")
    monkeypatch.setattr(package, "CONNECTORS", jar)
    wheels = [wheel for wheel in package.wheels() if wheel.stat().st_size < SMALL]
    monkeypatch.setattr(package, "wheels", lambda: wheels)
    sources, clones = package.ROOT, [tmp_path / "one", tmp_path / "another"]
    for clone in clones:
        for folder in package.OURS:
            shutil.copytree(sources / folder, clone / folder, copy_function=shutil.copyfile)
    for litter in (".env", "notes.txt", "x.py~", "__pycache__/x.pyc"):
        path = clones[1] / "jobs" / litter
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    digests = set()
    for clone in clones:
        monkeypatch.setattr(package, "ROOT", clone)
        digests.add(package.digest(package.build(path=clone / "package.zip").path))
    assert len(digests) == 1


def test_a_second_run_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(requirements: list[str]) -> None:
        raise AssertionError("the wheels are there already")

    assert package.wheels()
    monkeypatch.setattr(package, "_download", download)
    assert len(package.wheels()) == len(package.BUNDLED)


def test_it_holds_the_entry_point_our_packages_and_one_jar(built: package.Contents) -> None:
    with zipfile.ZipFile(built.path) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("main.py") == (package.ROOT / "jobs" / "main.py").read_bytes()
    assert {name.split("/")[0] for name in names} == {"main.py", "lib", "packages"}
    assert [name for name in names if name.endswith(".jar")] == ["lib/connectors.jar"]
    sources = {
        f"packages/{path.relative_to(package.ROOT)}"
        for folder in package.OURS
        for path in (package.ROOT / folder).rglob("*")
        if path.suffix == ".sql"
        or path.name == "application.yaml"
        or (path.suffix == ".py" and not (path.parent / "application.yaml").exists())
    }
    assert "packages/jobs/trades/application.yaml" in sources
    assert {name for name in names if name.split("/")[1:2][:1] in [[p] for p in package.OURS]} == sources
    assert sum(built.parts.values()) < built.size < package.LIMIT


def test_an_applications_folder_lies_where_the_entry_point_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it has a lab's name: of that lab nothing is left."""
    few = [wheel for wheel in package.wheels() if wheel.stat().st_size < SMALL]
    monkeypatch.setattr(package, "wheels", lambda: few)
    for name in ("my-fleet", "trades", "test"):
        application = fleet(tmp_path / "elsewhere", name)
        for litter in ("notes.txt", "evil.py", ".env"):
            (application.folder / litter).write_text("x")
        with zipfile.ZipFile(package.build(application, tmp_path / f"{name}.zip").path) as archive:
            archive.extractall(tmp_path / name)
        called = name.replace("-", "_")
        inside = tmp_path / name / "packages" / "jobs" / called
        assert sorted(path.name for path in inside.iterdir()) == [
            "application.yaml",
            "averages.sql",
            "hot.sql",
        ]
        found = subprocess.run(
            [sys.executable, "-c", f"from pipeline.catalog import find; print(find({called!r}).title)"],
            cwd=tmp_path / name / "packages",
            env={"PYTHONPATH": str(tmp_path / name / "packages")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == application.title


def test_compiled_modules_run_with_glibc_2_17_and_python_3_11(built: package.Contents) -> None:
    compiled = 0
    with zipfile.ZipFile(built.path) as archive:
        for name in archive.namelist():
            if re.search(r"\.so(\.|$)", name):
                compiled += 1
                wanted = {int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", archive.read(name))}
                assert max(wanted, default=0) <= 17, name
                assert "cpython-3" not in name or "cpython-311" in name
    assert compiled > 5


def test_workers_compile_from_the_package_alone_and_once_where_only_temp_is_writable(
    built: package.Contents, tmp_path: Path
) -> None:
    code, temp = tmp_path / "code", tmp_path / "temp"
    temp.mkdir()
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(code)
    subprocess.run(["chmod", "-R", "a-w", code], check=True)
    script = (
        "import udfs.compiled, udfs.row_bytes as r, numba, numpy\n"
        "counted = r.count_records(numpy.array([1, 65, 2, 66, 67], numpy.uint8)) == 2\n"
        "print(udfs.compiled.CACHED, numba.config.CACHE_DIR, counted)"
    )

    def worker(code: Path) -> subprocess.Popen[str]:
        # Only numpy comes from elsewhere: the service has it.
        path = [str(code / "packages"), str(Path(sys.prefix, "lib/python3.11/site-packages"))]
        environment = {"PYTHONPATH": ":".join(path), "TMPDIR": str(temp), "NUMBA_DEBUG_CACHE": "1"}
        command = [sys.executable, "-S", "-B", "-c", script]
        return subprocess.Popen(command, cwd=temp, env=environment, stdout=subprocess.PIPE, text=True)

    def said(worker: subprocess.Popen[str]) -> tuple[int, str]:
        """How many functions it compiled, and its last line."""
        lines = worker.communicate()[0].splitlines()
        return sum("data saved to" in line for line in lines), lines[-1]

    (first, last_line), (second, other_line) = map(said, [worker(code), worker(code)])
    cached, folder, counted = last_line.split()
    assert other_line == last_line
    assert (cached, counted) == ("True", "True")
    assert Path(folder).is_relative_to(temp)
    assert first + second == len(list(Path(folder).rglob("*.nbc"))) > 0
    # As after each restart of a deployed job, whose files Flink unpacks under a new name.
    assert said(worker(code.rename(tmp_path / "again"))) == (0, last_line)


def test_a_missing_jar_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "CONNECTORS", tmp_path / "connectors.jar")
    with pytest.raises(package.PackageError, match="make setup"):
        package.build(path=tmp_path / "package.zip")


def test_a_wheel_that_is_not_the_locked_one_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = package.wheels()
    monkeypatch.setattr(package, "WHEELS", tmp_path)
    for wheel in wheels:
        (tmp_path / wheel.name).symlink_to(wheel)
    six = next(wheel for wheel in tmp_path.iterdir() if wheel.name.startswith("six"))
    content = six.read_bytes()
    six.unlink()
    six.write_bytes(content + b" ")
    asked: list[str] = []
    monkeypatch.setattr(package, "_download", lambda requirements: asked.extend(requirements))
    with pytest.raises(KeyError, match="six"):
        package.wheels()
    assert [requirement.split(" ")[0] for requirement in asked] == ["six==1.17.0"]


def test_a_version_without_a_wheel_for_old_glibc_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "WHEELS", tmp_path)
    (tmp_path / "pip.conf").write_text("[global]\nno-index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(package.PackageError, match=r"no wheel of .*llvmlite.* for manylinux2014_x86_64"):
        package.wheels()


def refused(tmp_path: Path, name: str, content: bytes = b"") -> str:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for entry in {"main.py": b"", "lib/connectors.jar": b"", name: content}.items():
            archive.writestr(*entry)
    with pytest.raises(package.PackageError) as error:
        package.check(path)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("packages/jobs/tests/test_x.py", b"", "tests"),
        ("packages/jobs/__pycache__/main.cpython-311.pyc", b"", "caches"),
        ("packages/jobs/.env", b"", "local settings"),
        ("packages/jobs/credentials", b"", "local settings"),
        ("application_properties.json", b"[]", "local settings"),
        ("packages/key.pem", b"", "keys"),
        ("packages/lib/flink-s3-fs-hadoop.jar", b"", "only jar"),
        ("packages/numpy/__init__.py", b"", "the service has this package"),
        ("packages/pyflink/version.py", b"", "the service has this package"),
        ("packages/jobs/main.py", b"key = 'AKIA" + b"A" * 16 + b"'", "access key"),
        ("packages/jobs/main.py", b"-----BEGIN RSA " + b"PRIVATE KEY-----", "private key"),
    ],
)
def test_what_must_not_be_in_it_is_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    message = refused(tmp_path, name, content)
    assert name in message
    assert why in message


def test_a_package_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "LIMIT", 100)
    assert "at most 100 bytes" in refused(tmp_path, "packages/jobs/x.py")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def write(text: str) -> None:
        monkeypatch.setattr(package, "LOCK", tmp_path / "requirements.lock")
        package.LOCK.write_text(text)

    return write


def test_a_lock_file_without_our_dependencies_is_refused(lock: Callable[[str], None]) -> None:
    lock("numba==0.67.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(package.PackageError, match=r"must name .*boto3"):
        package.wheels()
