"""The search for leaked credentials finds them where they could hide."""

import zipfile
from pathlib import Path

import pytest

from tests.canaries import CREDENTIALS, leaks

SECRET = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
#: A secret as Java's Kryo writes it.
KRYO = SECRET[:-1].encode() + bytes([ord(SECRET[-1]) | 0x80])


@pytest.mark.parametrize(
    "hidden", [SECRET.encode(), SECRET.encode("utf-16-le"), SECRET.encode("utf-16-be"), KRYO]
)
def test_a_secret_is_found_in_a_file_and_in_a_zip(hidden: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a" / "chk-1" / "_metadata"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x00\xff" * 1000 + hidden + b"\x00")
    (tmp_path / "clean").write_bytes(b"canary")
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packages/a.py", b"x" * 100 + hidden)
    assert leaks(tmp_path) == [
        f"{path}: AWS_SECRET_ACCESS_KEY",
        f"{tmp_path / 'x.zip'}: packages/a.py: AWS_SECRET_ACCESS_KEY",
    ]


def test_a_missing_place_fails_instead_of_counting_as_clean(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        leaks(tmp_path / "typo")
    assert leaks(f"said {SECRET}") == ["text: AWS_SECRET_ACCESS_KEY"]
