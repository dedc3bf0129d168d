"""Fake credentials that a test gives to a run, and then searches for in everything that the run wrote."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

#: The environment variables that AWS clients read.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIACANARY0000000001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-2-Zx81q/+Vt0",
    "AWS_SESSION_TOKEN": "canary-token-3-Qm57w==",
}


def leaks(*places: Path | str | bytes, of: dict[str, str] = CREDENTIALS) -> list[str]:
    """The places where secrets were found, searching files under folders, members of zips, and text.

    Parameters
    ----------
    *places : Path, str or bytes
        Folders and files, or a program's output.
    of : dict
        Secrets by name.
    """
    # Kryo changes a string's last character to mark its end; Java and JavaScript store two bytes per character.
    forms = {
        name: [secret[:-1].encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be")]
        for name, secret in of.items()
    }
    return [
        f"{where}: {name}"
        for where, content in _contents(places)
        for name in of
        if any(form in content for form in forms[name])
    ]


def _contents(places: tuple[Path | str | bytes, ...]) -> Iterator[tuple[str, bytes]]:
    for place in places:
        if isinstance(place, str | bytes):
            yield "text", place.encode() if isinstance(place, str) else place
            continue
        assert place.exists(), place
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if not path.is_file():
                continue
            yield str(path), path.read_bytes()
            if path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive:
                    for name in archive.namelist():
                        yield f"{path}: {name}", archive.read(name)
