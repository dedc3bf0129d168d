"""The one connector jar: what one connector brings does not get in another's way."""

import zipfile

from infra.flink import CONNECTORS

#: AWS's SDK as the Kinesis connector has it, under names of its own.
SDK_OF_KINESIS = b"org/apache/flink/kinesis/shaded"


def test_only_the_kinesis_connector_uses_its_own_copy_of_the_sdk() -> None:
    with zipfile.ZipFile(CONNECTORS) as jar:
        classes = {
            name: jar.read(name)
            for name in jar.namelist()
            if name.startswith("org/apache/flink/connector/") and name.endswith(".class")
        }
    users = {name.split("/")[4] for name, code in classes.items() if SDK_OF_KINESIS in code}
    assert users == {"kinesis"}
    # The others are there too.
    assert {"aws", "dynamodb", "firehose"} <= {name.split("/")[4] for name in classes}
