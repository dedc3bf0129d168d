"""Applications by name or path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.application import DESCRIPTION, Application, ApplicationError, read

#: The project's own applications: the three labs.
JOBS = Path(__file__).parent.parent / "jobs"


def find(name: str, *folders: Path) -> Application:
    """The application of that name, or in that folder.

    Parameters
    ----------
    name : str
        The path of an application's folder, or the name of one in ``folders`` or in the project.
    folders : Path
        Folders to look in before the project's own.

    Raises
    ------
    ApplicationError
        There is none, or it can't be read.
    """
    if "/" in name or (Path(name) / DESCRIPTION).is_file():
        return read(Path(name))
    for folder in (*folders, JOBS):
        if (folder / name / DESCRIPTION).is_file():
            return read(folder / name)
    known = ", ".join(path.name for path in paths(*folders))
    raise ApplicationError(
        f"application must be one of {known}, or a folder with {DESCRIPTION}, got {name!r}"
    )


def paths(*folders: Path) -> Iterator[Path]:
    """The folders of all applications in ``folders`` and in the project, sorted by name."""
    found = {path.parent.name: path.parent for f in (JOBS, *folders) for path in f.glob(f"*/{DESCRIPTION}")}
    yield from (found[name] for name in sorted(found))


def all_applications(*folders: Path) -> tuple[Application, ...]:
    """All applications in ``folders`` and in the project, sorted by name; raises as :func:`find`."""
    return tuple(read(path) for path in paths(*folders))
