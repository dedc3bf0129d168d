"""The one door to numba: how functions are compiled and where the machine code is kept.

Import numba only through here. Inside PyFlink's process-mode workers `builtins.print` has been replaced by a
method that its module does not have, and numba's import, which looks `print` up by module and name, fails;
`_fix_print` makes that look-up succeed before numba is imported.
"""

import builtins
import os
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent

#: The modules (paths in this folder) whose text decides whether machine code is out of date.
COMPILED_SOURCES = (
    "compiled",
    "forest/layout",
    "forest/trees",
    "forest/scores",
    "forest/stream",
    "forest/packing",
    "forest/arena",
    "forest/call",
    "row_bytes",
    "detector/features",
    "detector/decisions",
    "detector/call",
)


def _fix_print() -> None:
    module = sys.modules.get(builtins.print.__module__)
    name = builtins.print.__name__
    if module is not None and getattr(module, name, None) is not builtins.print:
        setattr(module, name, builtins.print)


_fix_print()

import llvmlite.binding  # noqa: E402
import numba  # noqa: E402
import numba.core.caching  # noqa: E402
import numba.extending  # noqa: E402
import numba.np.arrayobj  # noqa: E402
import numpy as np  # noqa: E402

#: Marks an index as not negative. Where numba sees a signed index it adds code that lets -1 mean the last
#: element; in the walks down the trees that took more time than the walk.
at: Any = np.uint64
#: In compiled functions all numbers have machine types, which mypy takes for unequal to Python's.
whole: Any = np.int64
real: Any = np.float64

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def _private_folder(folder: Path) -> Path | None:
    """The folder, made if need be; None where it can't be written or belongs to another user.

    numba unpickles what it finds in its cache, so a folder that others may write to is never used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
            return None
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


#: Of all sources that machine code is made from.
DIGEST = sha256(b"".join((HERE / f"{name}.py").read_bytes() for name in COMPILED_SOURCES)).hexdigest()[:12]


def _cache_folder() -> Path | None:
    """Where machine code is kept: under the clone, else (deployed: read-only) in the temporary folder.

    One folder per version of the kernels' sources: numba looks only at the file a function is written in,
    and would keep a caller after its callee in another file has changed.
    """
    # No folder in between: in the temporary directory only the leaf is safe from being exchanged by others.
    candidates = [Path(tempfile.gettempdir()) / f"kda-numba-{os.getuid()}-{DIGEST}"]
    if (HERE.parent / "pyproject.toml").exists():
        candidates.insert(0, HERE.parent / ".kda" / "numba" / DIGEST)
    return next((folder for candidate in candidates if (folder := _private_folder(candidate))), None)


class SourceDigestLocator(numba.core.caching._CacheLocator):  # type: ignore[misc]
    """Finds machine code by what was compiled, not by where its source lies.

    numba's own locators hash the source's path and look at its time of writing. Flink unpacks a job's Python files
    anew, under another path, at each start: every restart would compile again, and leave another folder.
    """

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._line = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        """One folder for all: its name has the digest of the sources."""
        return str(numba.config.CACHE_DIR)

    def get_source_stamp(self) -> str:
        """What must be equal for machine code to be used."""
        return DIGEST

    def get_disambiguator(self) -> str:
        """Between functions of one name in one module."""
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "SourceDigestLocator":
        """Numba's way to make one."""
        locator = cls(py_func, py_file)
        locator.ensure_cache_path()
        return locator


# The environment variable NUMBA_CACHE_DIR wins: numba has read it into its configuration already.
if not numba.config.CACHE_DIR and (_folder := _cache_folder()):
    numba.config.CACHE_DIR = str(_folder)
if numba.config.CACHE_DIR:
    numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.SourceDigestLocator"

# The loops that matter run over a point's few dimensions: what vector code needs before and after costs more there.
numba.config.LOOP_VECTORIZE = 0

# Nor do they gain from being unrolled: where LLVM does so for counts known only at run time, as it does on most
# processors, each loop grows by ways in and out, and what holds them is no longer inlined but called.
llvmlite.binding.set_option("udfs", "-unroll-runtime=false")

#: False where no folder can be written: every process then compiles anew (some 10-20 s).
CACHED = bool(numba.config.CACHE_DIR)


def compiled(function: AnyFunction) -> AnyFunction:
    """Compile to machine code on first call.

    Without fast-math, so that a sum is the same on every machine; and without numba's reference counting
    (`_nrt`), which costs several times the arithmetic itself where arrays are passed from function to function.
    So a compiled function gets all its arrays from outside and can't make one.
    """
    options = {"cache": CACHED, "error_model": "numpy", "boundscheck": False, "_nrt": False}
    return numba.njit(**options)(function)  # type: ignore[no-any-return]


@numba.extending.intrinsic  # type: ignore[untyped-decorator]
def pointer(typing_context: Any, address: Any) -> Any:
    """In compiled code: an address as what `array_at` takes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.voidptr(address), generate


def array_at(kind: str) -> Any:
    """What makes, in compiled code, of a pointer and a shape the array of this type that lies there.

    It is `numba.carray` from inside: that is a function, which without reference counting can't return an array.
    """
    return numba.np.arrayobj.get_cfarray_intrinsic("C", numba.types.NumberClass(getattr(numba.types, kind)))
