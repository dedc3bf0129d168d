"""Stacks of applications' resources as they are deployed, changed and deleted on a local AWS."""

import io
import json
import secrets
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from base.aws import Aws
from infra import cloudformation, code_bucket, local, stacks
from infra.cloudformation import StackError
from pipeline.catalog import all_applications
from pipeline.settings import settings
from tests.fleet import fleet

LABS = {a.name: a for a in all_applications()}
CTR = LABS["ctr"]


def deploy_all(aws: Aws) -> dict[str, dict[str, str]]:
    return {name: stacks.deploy(aws, lab) for name, lab in LABS.items()}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cloudformation._WAIT, "Delay", 0.1)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An emulator of its own: these tests delete what they find."""
    with local.running_local_aws(tmp_path_factory.mktemp("stacks") / "aws") as aws:
        yield aws


def everything(aws: Aws) -> dict[str, list]:
    lists = {
        "s3": ("list_buckets", "Buckets", {}),
        "kinesis": ("list_streams", "StreamNames", {}),
        "firehose": ("list_delivery_streams", "DeliveryStreamNames", {}),
        "lambda": ("list_functions", "Functions", {}),
        "sns": ("list_topics", "Topics", {}),
        "sqs": ("list_queues", "QueueUrls", {}),
        "iam": ("list_roles", "Roles", {}),
        "logs": ("describe_log_groups", "logGroups", {}),
        "dynamodb": ("list_tables", "TableNames", {}),
        "cognito-idp": ("list_user_pools", "UserPools", {"MaxResults": 10}),
        "cognito-identity": ("list_identity_pools", "IdentityPools", {"MaxResults": 10}),
        "cloudformation": ("describe_stacks", "Stacks", {}),
    }
    return {
        service: getattr(aws.client(service), call)(**arguments).get(key, [])
        for service, (call, key, arguments) in lists.items()
    }


@pytest.mark.aws
def test_all_stacks_are_made_changed_and_deleted_without_a_trace(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deploy_all(aws)
    assert all(everything(aws).values())

    # The same again: nothing changes, the buckets' invented names neither.
    assert deploy_all(aws) == made
    assert stacks.deployed(aws) == made

    # New code reaches the functions.
    function = aws.client("lambda")
    before = function.get_function(FunctionName="lab-function")["Configuration"]["CodeSha256"]
    zipped = code_bucket.zip_lambdas()
    monkeypatch.setattr(stacks, "zip_lambdas", lambda: zipped + b" ")
    stacks.deploy(aws, LABS["sessions"])
    assert function.get_function(FunctionName="lab-function")["Configuration"]["CodeSha256"] != before

    s3 = aws.client("s3")
    bucket = made["trades"]["AnomalyBucketName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="x", Body=body)
    s3.delete_object(Bucket=bucket, Key="x")
    for lab in LABS:
        stacks.delete(aws, lab)
    code_bucket.delete(aws)
    assert {service: found for service, found in everything(aws).items() if found} == {}
    # A second time does no harm.
    stacks.delete(aws, "sessions")
    code_bucket.delete(aws)
    with pytest.raises(StackError, match="resources-kda-sessions is not deployed"):
        stacks.outputs(aws, "sessions")


@pytest.mark.aws
def test_a_failure_names_the_resource_and_the_reason_and_is_repaired(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = io.BytesIO()
    with (
        zipfile.ZipFile(broken, "w") as copy,
        zipfile.ZipFile(io.BytesIO(code_bucket.zip_lambdas())) as archive,
    ):
        for name in archive.namelist():
            code = archive.read(name).replace(
                b"            _put(properties)", b"            raise ValueError(properties)"
            )
            copy.writestr(name, code)
    with monkeypatch.context() as patched:
        patched.setattr(stacks, "zip_lambdas", broken.getvalue)
        with pytest.raises(StackError) as failed:
            stacks.deploy(aws, CTR)
    assert str(failed.value) == "stack resources-kda-ctr: User: the user was not set up: ValueError"
    # What the failure left is replaced.
    assert stacks.deploy(aws, CTR)["ClickStreamName"] == "ctr-clickstream"
    stacks.delete(aws, "ctr")


@pytest.mark.aws
def test_parameters_reach_the_resources(aws: Aws) -> None:
    stacks.deploy(aws, LABS["trades"], {"ShardCount": "3", "RetentionHours": "168", "Seed": "7"})
    stacks.deploy(aws, LABS["trades"], {"Rounds": "2"})
    summary = aws.client("kinesis").describe_stream_summary(StreamName="Demo-samples")
    assert summary["StreamDescriptionSummary"]["OpenShardCount"] == 3
    assert summary["StreamDescriptionSummary"]["RetentionPeriodHours"] == 168
    producer = aws.client("lambda").get_function_configuration(FunctionName="stock_trades_producer")
    assert (producer["Environment"]["Variables"]["SEED"], producer["Timeout"]) == ("7", 900)
    assert producer["Environment"]["Variables"]["ROUNDS"] == "2"
    with pytest.raises(StackError, match="Shards: not a parameter; there are ShardCount, RetentionHours"):
        stacks.deploy(aws, LABS["trades"], {"Shards": "2"})
    stacks.delete(aws, "trades")


@pytest.mark.aws
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMS", "555-0100"),
        ("Password", "short1A"),
        ("Password", "nouppercase1"),
        ("Password", "With space1"),
        ("Email", "nobody"),
    ],
)
def test_wrong_parameters_are_refused(aws: Aws, name: str, value: str) -> None:
    with pytest.raises(StackError, match=name) as refused:
        stacks.deploy(aws, CTR, {name: value})
    if name == "Password":
        assert value not in str(refused.value)


@pytest.mark.aws
def test_the_password_works_and_is_shown_nowhere(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> None:
    password = f"Aa1{secrets.token_urlsafe(16)}"
    outputs = stacks.deploy(aws, CTR, {"Password": password})
    url = outputs["KinesisDataGeneratorUrl"]
    pool = url.partition("upid=")[2].partition("&")[0]
    cognito = aws.client("cognito-idp")
    # A client that takes a password as it is; the generator's own never sends it.
    client_id = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="test", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]

    def sign_in(username: str, password: str) -> dict:
        return cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": username, "PASSWORD": password},
        )["AuthenticationResult"]

    assert sign_in("generator", password)["IdToken"]
    with pytest.raises(ClientError, match="NotAuthorized"):
        sign_in("generator", password + "x")
    # Another name makes another user and deletes the old one; the password stays as it was.
    stacks.deploy(aws, CTR, {"Username": "someone.else"})
    assert sign_in("someone.else", password)["IdToken"]
    assert [user["Username"] for user in cognito.list_users(UserPoolId=pool)["Users"]] == ["someone.else"]

    cloudformation = aws.client("cloudformation")
    reported = [
        cloudformation.describe_stacks(StackName="resources-kda-ctr"),
        cloudformation.describe_stack_events(StackName="resources-kda-ctr"),
        cloudformation.describe_stack_resources(StackName="resources-kda-ctr"),
        cloudformation.get_template(StackName="resources-kda-ctr"),
    ]
    assert password not in json.dumps(reported, default=str)
    files = subprocess.run(
        ["grep", "-rlaF", password, str(tmp_path_factory.getbasetemp())], capture_output=True, text=True
    )
    assert files.stdout == ""
    stacks.delete(aws, "ctr")


@pytest.mark.aws
def test_people_and_the_queue_are_subscribed(aws: Aws) -> None:
    topic = stacks.deploy(aws, CTR)["TopicArn"]
    sns = aws.client("sns")
    subscribed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert sorted(subscription["Protocol"] for subscription in subscribed) == ["email", "sms", "sqs"]

    # By default, as in a real account, there is no queue.
    stacks.delete(aws, "ctr")
    outputs = stacks.deploy(aws, CTR, {"MessageQueue": "false"})
    assert "MessageQueueUrl" not in outputs
    subscribed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert sorted(subscription["Protocol"] for subscription in subscribed) == ["email", "sms"]
    stacks.delete(aws, "ctr")


@pytest.mark.aws
def test_an_application_that_is_no_lab(aws: Aws, tmp_path: Path) -> None:
    """Its stream and its table are there already, as another's: they are named, used, and outlive its stack."""
    application = fleet(tmp_path)
    kinesis, dynamodb = aws.client("kinesis"), aws.client("dynamodb")
    kinesis.create_stream(StreamName="fleet-telemetry", ShardCount=2)
    dynamodb.create_table(
        TableName="fleet-newest",
        KeySchema=[{"AttributeName": "vehicle", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "vehicle", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    reported: list[str] = []
    outputs = stacks.deploy(aws, application, tell=reported.append)
    used = [
        "DynamoDB Table fleet-newest exists already and is used unchanged.",
        "Kinesis Stream fleet-telemetry exists already and is used unchanged.",
    ]
    assert reported == used
    assert outputs["SourceStreamName"] == "fleet-telemetry"
    assert outputs["NewestTableName"] == "fleet-newest"
    assert set(kinesis.list_streams()["StreamNames"]) == {
        "fleet-telemetry",
        "fleet-errors",
        "fleet-taps",
        "fleet-alerts",
    }
    # What lands through the derived delivery stream lies where the source reads.
    firehose, s3 = aws.client("firehose"), aws.client("s3")
    firehose.put_record(
        DeliveryStreamName=outputs["DoorsDeliveryName"], Record={"Data": b'{"vehicle": "a"}\n'}
    )
    (landed,) = s3.list_objects_v2(Bucket="fleet-landing")["Contents"]
    assert landed["Key"].startswith("doors/")
    # Again: what the stack made is its own, what it found is not.
    reported.clear()
    assert stacks.deploy(aws, application, tell=reported.append) == outputs
    assert reported == used
    stacks.delete(aws, application.name)
    assert kinesis.list_streams()["StreamNames"] == ["fleet-telemetry"]
    assert dynamodb.list_tables()["TableNames"] == ["fleet-newest"]
    kinesis.delete_stream(StreamName="fleet-telemetry")
    dynamodb.delete_table(TableName="fleet-newest")


@pytest.mark.aws
def test_what_holds_data_is_not_deleted_unasked(aws: Aws, tmp_path: Path) -> None:
    """A stream of another name is another stream: CloudFormation would replace it, and what is in it is gone."""
    application = fleet(tmp_path)
    stacks.deploy(aws, application)
    kinesis = aws.client("kinesis")
    kinesis.put_record(StreamName="fleet-telemetry", Data=b"{}", PartitionKey="a")
    other = settings(application, {"source": {"stream": "trucks"}, "newest": {"type": "none"}})
    with pytest.raises(stacks.LossError) as refused:
        stacks.deploy(aws, application, chosen=other)
    assert str(refused.value) == (
        "stack resources-kda-fleet: DynamoDB Table fleet-newest, Kinesis Stream fleet-telemetry: no longer named "
        "by the application's properties; the update would delete it with its data"
    )
    assert "trucks" not in kinesis.list_streams()["StreamNames"]
    assert stacks.deploy(aws, application, chosen=other, lose=True)["SourceStreamName"] == "trucks"
    assert "fleet-telemetry" not in kinesis.list_streams()["StreamNames"]
    stacks.delete(aws, application.name)


@pytest.mark.aws
def test_a_name_of_its_own_part_that_is_taken_is_named(aws: Aws, tmp_path: Path) -> None:
    application = fleet(tmp_path)
    (application.folder / "stack.yaml").write_text(
        "Resources: {Mine: {Type: AWS::S3::Bucket, Properties: {BucketName: taken}}}\n"
    )
    aws.client("s3").create_bucket(Bucket="taken")
    with pytest.raises(StackError, match=r"^stack resources-kda-fleet: Mine: .*taken") as refused:
        stacks.deploy(aws, application)
    assert "\n" not in str(refused.value)
    stacks.delete(aws, application.name)
    aws.client("s3").delete_bucket(Bucket="taken")
