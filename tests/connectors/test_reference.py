"""Reference files: read as a whole, once for each version, from S3 and from the local disk."""

from pathlib import Path

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.reference import ReferenceFile
from tests.conftest import LocalAws


def test_a_file_on_the_machine_is_read_again_where_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "with a space.csv"
    path.write_text("a,1\n")
    file = ReferenceFile(path.as_uri(), Aws("us-east-1"))
    first = file.read()
    assert first is not None
    assert first[1] == b"a,1\n"
    assert file.read(first[0]) is None
    path.write_text("a,22\n")
    second = file.read(first[0])
    assert second is not None
    assert second[1] == b"a,22\n"
    path.unlink()
    with pytest.raises(
        ConnectorError, match=r"reference table .*with a space\.csv: No such file or directory"
    ):
        file.read(second[0])


@pytest.mark.aws
def test_an_object_is_read_again_where_it_has_changed(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket="references")
    file = ReferenceFile("s3://references/of/loaves.csv", local_aws.aws)
    with pytest.raises(ConnectorError, match=r"reference table s3://references/of/loaves\.csv: .*"):
        file.read()
    s3.put_object(Bucket="references", Key="of/loaves.csv", Body=b"a,1\n")
    first = file.read()
    assert first is not None
    assert first[1] == b"a,1\n"
    assert file.read(first[0]) is None
    s3.put_object(Bucket="references", Key="of/loaves.csv", Body=b"a,2\n")
    second = file.read(first[0])
    assert second is not None
    assert second[1] == b"a,2\n"


@pytest.mark.parametrize(
    "path", ["loaves.csv", "s3://bucket", "s3://bucket/folder/", "http://x/y", "file:///"]
)
def test_a_path_names_one_file(path: str) -> None:
    with pytest.raises(ValueError, match="path must name one file"):
        ReferenceFile(path, Aws("us-east-1"))


def test_a_reference_file_requires_reading_its_bucket() -> None:
    needs = ReferenceFile("s3://b/k", Aws("us-east-1")).requires()
    assert [s["Action"] for s in needs.statements] == [["s3:ListBucket"], ["s3:GetObject"]]
