"""The bucket that functions and packages are deployed from: one per account and region."""

import contextlib
import hashlib
import io
import zipfile

from botocore.exceptions import ClientError

from base.aws import Aws
from base.errors import KdaError
from infra.paths import ROOT

# A fixed time for files in the zip, so that the same code gives the same key and no update.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class CodeError(KdaError):
    """A bucket could not be emptied; the message names the object and AWS's reason."""


def upload(aws: Aws, name: str, zipped: bytes) -> dict[str, str]:
    """Upload a zip to the code bucket, under a key with its hash.

    Returns
    -------
    dict
        ``CodeBucket`` and ``CodeKey``, the templates' parameters.
    """
    bucket, key = _code_bucket(aws), f"{name}-{hashlib.sha256(zipped).hexdigest()[:16]}.zip"
    s3 = aws.client("s3")
    region = s3.meta.region_name
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **elsewhere)
    s3.put_object(Bucket=bucket, Key=key, Body=zipped)
    return {"CodeBucket": bucket, "CodeKey": key}


def delete(aws: Aws) -> None:
    """Delete the code bucket and its objects, if it exists."""
    bucket = _code_bucket(aws)
    try:
        empty_bucket(aws, bucket)
        aws.client("s3").delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


def empty_bucket(aws: Aws, bucket: str) -> None:
    """Delete every version of every object.

    Raises
    ------
    CodeError
        An object could not be deleted.
    """
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        objects = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for version in page.get(kind, [])
        ]
        if objects:
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get(
                "Errors"
            )
            if errors:
                raise CodeError(f"bucket {bucket}: {errors[0]['Key']}: {errors[0]['Message']}")


def zip_lambdas() -> bytes:
    """Zip the lambdas folder; the same code gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "lambdas").glob("*.py")):
            info = zipfile.ZipInfo(f"lambdas/{path.name}", _ZIP_TIME)
            info.external_attr = 0o644 << 16  # readable for the user that Lambda runs as
            archive.writestr(info, path.read_bytes())
    return buffer.getvalue()


def _code_bucket(aws: Aws) -> str:
    sts = aws.client("sts")
    return f"kda-on-flink-code-{sts.get_caller_identity()['Account']}-{sts.meta.region_name}"
