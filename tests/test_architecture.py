"""Which package may import which, and what the algorithms may load."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.paths import ROOT
from tests.order import LONGEST
from tests.rooms import ROOMS

#: Our packages that each package may import, and the third-party ones where those are restricted. Every package may
#: import `base`.
MAY_KNOW: dict[str, set[str]] = {
    "base": set(),
    "jobs": {"pipeline"},
    "pipeline": {"pipeline", "connectors", "udfs"},
    "kda_sql": {"kda_sql"},
    "udfs": {"udfs"},
    "connectors": {"connectors"},
    "lambdas": {"lambdas"},
    "generator": {"generator"},
    # It reads records as the decoder does, and samples streams.
    "discovery": {"discovery", "infra", "udfs"},
    "infra": {"infra", "pipeline", "connectors"},
    "workbench": {"workbench", "kda_sql", "pipeline"},
}
THIRD_PARTIES = {
    "kda_sql": {"hcl2", "sqlglot", "yaml"},
    "lambdas": {"boto3", "botocore"},
    "udfs": {"apache_beam", "h2", "llvmlite", "msgspec", "numba", "numpy", "pyflink"},
}
#: Modules that make Flink's tables, streams and operators. All others can be imported without Flink: algorithms, and
#: whatever reads descriptions and settings.
WITH_FLINK = {
    "connectors.lambda_sink.pending",
    "connectors.lambda_sink.sink",
    "connectors.preprocess",
    "jobs.main",
    "pipeline.lambda_sink",
    "pipeline.pipeline",
    "pipeline.source_views",
    "pipeline.trial",
    "udfs.decoding.function",
    "udfs.decoding.timed_function",
    "udfs.decoding.timed_table",
    "udfs.detector.function",
    "udfs.detector.table",
    "udfs.forest.function",
    "udfs.forest.table",
    "udfs.keyed_stream",
    "udfs.lookup",
    "udfs.row_batches",
    "udfs.row_messages",
    "udfs.windows.closing_function",
    "udfs.windows.hotspots_function",
    "udfs.windows.in_order",
    "udfs.windows.keyed_table",
    "udfs.windows.sliding_function",
}


def imports(path: Path) -> Iterator[str]:
    """Top-level package of every import anywhere in a file; relative imports too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield path.relative_to(ROOT).parts[0] if node.level else (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", MAY_KNOW)
def test_imports_run_one_way(package: str) -> None:
    # An application may have a demo, which a command runs: it may import all packages.
    files = sorted(
        path for path in (ROOT / package).rglob("*.py") if package != "jobs" or path.parent.name == "jobs"
    )
    assert files
    wrong = {
        f"{path.relative_to(ROOT)} → {name}"
        for path in files
        for name in imports(path)
        if name in ROOMS and name not in MAY_KNOW[package] | {"base", package}
    }
    assert wrong == set()


@pytest.mark.parametrize("package", THIRD_PARTIES)
def test_third_parties_are_few(package: str) -> None:
    used = {name for path in (ROOT / package).rglob("*.py") for name in imports(path)}
    assert used - set(sys.stdlib_module_names) - set(ROOMS) <= THIRD_PARTIES[package]


def test_no_service_in_the_algorithms() -> None:
    assert not {"boto3", "botocore"} & {n for path in (ROOT / "udfs").rglob("*.py") for n in imports(path)}


def test_all_but_a_few_modules_run_without_flink() -> None:
    """Only its version is read, from a module that imports nothing."""
    paths = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
    assert modules > WITH_FLINK
    # Lambda functions and the workers' launcher are programs with an environment of their own.
    without = sorted(
        m
        for m in modules - WITH_FLINK
        if not m.startswith(("lambdas", "infra.workers.")) and ".bench" not in m
    )
    code = f"""
import importlib, sys
for name in {without}:
    importlib.import_module(name)
    loaded = {{m for m in sys.modules if m.startswith(("pyflink.", "py4j")) and m != "pyflink.version"}}
    assert not loaded, f"{{name}} loads {{min(loaded)}}"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_tests_import_what_there_is() -> None:
    """Some run on Flink 2 only, so that nothing else would tell."""
    missing = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tests":
                folder = ROOT.joinpath(*str(node.module).split("."))
                source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
                known = names_of(source) | {p.stem for p in folder.glob("*")}
                missing += [f"{path.name}: {node.module}.{a.name}" for a in node.names if a.name not in known]
    assert missing == []


def names_of(path: Path) -> set[str]:
    """What a module defines or imports at its top level."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        else:
            names |= {
                n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return names


def test_the_tests_that_start_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).exists()] == []


def test_no_file_has_more_than_300_lines() -> None:
    files = [
        p
        for room in (*ROOMS, "bench", "tests")
        for p in (ROOT / room).rglob("*")
        if p.suffix in (".py", ".js")
    ]
    lengths = {
        p.relative_to(ROOT).as_posix(): p.read_text().count("\n") for p in files if "vendor" not in p.parts
    }
    assert {name: length for name, length in lengths.items() if length > 300} == {}


#: Reads back what the job itself wrote into its checkpoints.
OWN_STATE = {"udfs/forest/bucket.py"}
#: A safe loader of its own.
SAFE_YAML = {"pipeline/document.py"}


def test_no_pickle_from_outside() -> None:
    """Only a job's own state is unpickled; no other module of ours unpickles or evaluates text."""
    wrong = []
    for package in ROOMS:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                name = getattr(called, "attr", None) or getattr(called, "id", None)
                text = ast.unparse(called) if called is not None else ""
                own_state = text == "pickle.loads" and str(path.relative_to(ROOT)) in OWN_STATE
                safe_yaml = text == "yaml.load" and str(path.relative_to(ROOT)) in SAFE_YAML
                if not (own_state or safe_yaml) and text in (
                    "eval",
                    "exec",
                    "pickle.load",
                    "pickle.loads",
                    "yaml.load",
                    "os.system",
                ):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert wrong == []


def test_everything_local_listens_on_loopback_only() -> None:
    """No module of ours, and no configuration, names an address that others can reach."""
    files = [p for package in ROOMS for p in (ROOT / package).rglob("*.py")] + list(
        (ROOT / "flink-conf").rglob("*.yaml")
    )
    assert [str(p.relative_to(ROOT)) for p in files if "0.0.0.0" in p.read_text()] == []


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
#: Packages, what is in them, and what they may import, from ARCHITECTURE.md.
ROWS = re.findall(r"(?m)^\| (`[^|]*/`) \| ([^|]*) \| ([^|]*?) ?\|$", ARCHITECTURE)


def named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_architecture_names_every_room() -> None:
    packages = {path.parent for path in [*ROOT.glob("*/__init__.py"), *ROOT.glob("[uc]*s/*/__init__.py")]}
    rooms = {f"{path.relative_to(ROOT)}/" for path in packages} | {"flink-conf/"}
    assert {room for row in ROWS for room in named(row[0])} == rooms


def test_architecture_names_modules_that_exist() -> None:
    for (room, *_), inside, _ in [(named(first), second, third) for first, second, third in ROWS]:
        for name in named(inside):
            if name.endswith((".py", "/")):
                assert list((ROOT if "/" in name[:-1] else ROOT / room).rglob(name)), f"{room}: {name}"


def test_architecture_says_who_may_import_whom() -> None:
    for room, _, known in ROWS:
        package = named(room)[0].rstrip("/")
        if package in MAY_KNOW:
            assert set(named(known)) == MAY_KNOW[package] - {package}, package
        elif package in ROOMS:
            assert known == "everything", package


def test_architecture_says_why_each_dependency_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.match(r"[\w-]+", line)[0] for group in groups for line in group}  # type: ignore[index]
    table = ARCHITECTURE.partition("## Dependencies")[2]
    assert {
        name for row in re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \|$", table) for name in row.split(", ")
    } - {
        "package",
        "---",
    } == wanted


def test_dependencies_are_locked_with_hashes() -> None:
    lines = [
        line
        for line in (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    assert lines
    assert [line.split()[0] for line in lines if "==" not in line or "--hash=sha256:" not in line] == []
