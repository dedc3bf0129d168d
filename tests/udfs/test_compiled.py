"""Numba, as the forest uses it: in Flink's workers, on read-only file systems, and no heavier than it need be."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, folder: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numba_comes_up_where_print_was_replaced() -> None:
    """As in Flink's process-mode workers: `print` is a bound method, in a module without one."""
    code = (
        "import builtins, sys, types\n"
        "class CustomPrint:\n"
        "    def print(self, *args, **kwargs): pass\n"
        "CustomPrint.print.__module__ = 'worker_main'; sys.modules['worker_main'] = types.ModuleType('worker_main')\n"
        "builtins.print = CustomPrint().print\n"
        "import udfs.random_cut_forest"
    )
    run(code)


def test_the_forest_knows_nothing_of_flink_and_aws() -> None:
    code = (
        "import sys, udfs.random_cut_forest\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pyflink', 'boto3', 'jobs', 'connectors')])"
    )
    assert run(code) == "[]"


def test_the_cache_folder_can_be_set(tmp_path: Path) -> None:
    code = "import udfs.compiled, numba; print(numba.config.CACHE_DIR)"
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path)
    assert run(code, NUMBA_CACHE_DIR="").startswith(str(ROOT / ".kda" / "numba"))


def test_the_cache_is_not_kept_where_others_may_write(tmp_path: Path) -> None:
    from udfs.compiled import _private_folder

    mine = tmp_path / "mine"
    assert _private_folder(mine) == mine
    assert mine.stat().st_mode & 0o777 == 0o700
    mine.chmod(0o777)
    assert _private_folder(mine) is None
    (tmp_path / "file").write_text("")
    assert _private_folder(tmp_path / "file" / "below") is None


def test_every_module_with_compiled_functions_decides_about_the_cache() -> None:
    from udfs.compiled import COMPILED_SOURCES

    udfs = ROOT / "udfs"
    with_kernels = {
        path.relative_to(udfs).with_suffix("").as_posix()
        for path in udfs.rglob("*.py")
        if "\n@compiled\n" in path.read_text()
    }
    assert with_kernels | {"compiled", "forest/layout"} == set(COMPILED_SOURCES)
