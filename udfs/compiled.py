"""How functions are compiled with numba and where the machine code is kept.

Import numba only through this module. PyFlink's process-mode workers replace `builtins.print` by a method that its
module does not have. numba looks `print` up by module and name when it is imported, and fails; `_fix_print` makes that
look-up succeed.
"""

import builtins
import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent

#: The modules (paths in this folder) whose text decides whether cached machine code is out of date.
COMPILED_SOURCES = (
    "compiled",
    "forest/layout",
    "forest/trees",
    "forest/scores",
    "forest/shares",
    "forest/stream",
    "forest/packing",
    "forest/arena",
    "forest/ranges",
    "forest/compact",
    "forest/compact_shapes",
    "forest/compact_arena",
    "forest/call",
    "row_bytes",
    "decoding/json_bytes",
    "decoding/json_answers",
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
import numba.core.compiler_lock  # noqa: E402
import numba.extending  # noqa: E402
import numba.np.arrayobj  # noqa: E402
import numpy as np  # noqa: E402

#: Marks an index as not negative. For a signed index numba adds code that lets -1 mean the last element; in the walks
#: down the trees that code took more time than the walk.
at: Any = np.uint64
#: Casts to machine types. In compiled functions all numbers have those; mypy treats them as different from Python's.
whole: Any = np.int64
real: Any = np.float64

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def _private_folder(folder: Path) -> Path | None:
    """The folder, created if missing; None if it can't be written or belongs to another user.

    numba unpickles what is in its cache, so a folder that others can write to is never used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
            return None
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


#: Digest of all sources that are compiled.
DIGEST = sha256(b"".join((HERE / f"{name}.py").read_bytes() for name in COMPILED_SOURCES)).hexdigest()[:12]


def _cache_folder() -> Path | None:
    """Where machine code is kept: in the clone, or in the temporary folder where the code is deployed read-only.

    One folder per version of the sources: numba checks only the file that a function is in, and would keep a stale
    caller when its callee in another file has changed.
    """
    # No nested folders: others could replace a parent folder in the temporary directory.
    candidates = [Path(tempfile.gettempdir()) / f"kda-numba-{os.getuid()}-{DIGEST}"]
    if (HERE.parent / "pyproject.toml").exists():
        candidates.insert(0, HERE.parent / ".kda" / "numba" / DIGEST)
    return next((folder for candidate in candidates if (folder := _private_folder(candidate))), None)


class SourceDigestLocator(numba.core.caching._CacheLocator):  # type: ignore[misc]
    """Finds machine code by the digest of the sources, not by their path.

    numba's own locators use the source's path and modification time. At each start Flink unpacks a job's Python files
    under a new path, so every restart would compile again and leave another folder.
    """

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._line = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        """One folder for all functions; its name holds the digest of the sources."""
        return str(numba.config.CACHE_DIR)

    def get_source_stamp(self) -> str:
        """The stamp that must match for cached machine code to be used."""
        return DIGEST

    def get_disambiguator(self) -> str:
        """Tells functions of the same name in one module apart."""
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "SourceDigestLocator":
        """Make a locator; numba calls it."""
        locator = cls(py_func, py_file)
        locator.ensure_cache_path()
        return locator


# The environment variable NUMBA_CACHE_DIR takes precedence: numba has already read it into its configuration.
if not numba.config.CACHE_DIR and (_folder := _cache_folder()):
    numba.config.CACHE_DIR = str(_folder)
if numba.config.CACHE_DIR:
    numba.config.CACHE_LOCATOR_CLASSES = f"{__name__}.SourceDigestLocator"

# The hot loops run over a point's few dimensions, where the set-up of vector code costs more than it saves.
numba.config.LOOP_VECTORIZE = 0

# Unrolling does not pay either: for counts known only at run time, which LLVM unrolls on most processors, it adds
# entry and exit code to each loop, and the functions around them get too large to be inlined.
llvmlite.binding.set_option("udfs", "-unroll-runtime=false")

#: False if no folder can be written: every process then compiles again (10-20 s).
CACHED = bool(numba.config.CACHE_DIR)


class _CompilerLock:
    """Lets one process of a machine compile at a time; the others then find its code in the cache.

    Otherwise all workers of a cluster that starts would compile the same functions side by side.
    """

    def __init__(self) -> None:
        self._depth = 0

    def __enter__(self) -> None:
        # Threads of this process: one that compiles a function compiles those that it calls, too.
        numba.core.compiler_lock.global_compiler_lock.acquire()
        if self._depth == 0:
            self._file = open(Path(numba.config.CACHE_DIR) / "lock", "w")
            # A file system without locks: then each process compiles, as it may.
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._file.close()
        numba.core.compiler_lock.global_compiler_lock.release()


_COMPILER_LOCK = _CompilerLock()


def inlined(function: AnyFunction) -> AnyFunction:
    """As :func:`compiled`, for a function of a forest's arrays that is called often: to pass them takes 0.1 µs."""
    return compiled(function, forceinline=True)


def compiled(function: AnyFunction, **more: Any) -> AnyFunction:
    """Compile to machine code on first call.

    Without fast-math, so that a sum is the same on every machine. Without numba's reference counting (`_nrt`), which
    costs several times the arithmetic when arrays are passed between functions; so a compiled function can't create
    arrays and must be given all of them.
    """
    options = {"cache": CACHED, "error_model": "numpy", "boundscheck": False, "_nrt": False} | more
    dispatcher = numba.njit(**options)(function)
    if CACHED:
        compile_or_load = dispatcher.compile

        def one_at_a_time(signature: Any) -> Any:
            with _COMPILER_LOCK:
                return compile_or_load(signature)

        dispatcher.compile = one_at_a_time
    return dispatcher  # type: ignore[no-any-return]


@numba.extending.intrinsic  # type: ignore[untyped-decorator]
def pointer(typing_context: Any, address: Any) -> Any:
    """In compiled code: an address as the pointer that `array_at` takes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.voidptr(address), generate


def array_at(kind: str) -> Any:
    """In compiled code: a function of a pointer and a shape that gives the array of this type at that address.

    It is the intrinsic behind `numba.carray`, which can't return an array without reference counting.
    """
    return numba.np.arrayobj.get_cfarray_intrinsic("C", numba.types.NumberClass(getattr(numba.types, kind)))
