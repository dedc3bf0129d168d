"""Least privilege: a function's deployed role allows the calls that its handler makes, on their resources, and no more.

What its log needs is the Lambda service's own, and left out.
"""

import fnmatch
import http.server
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from base.aws import LOCAL_REGION
from infra import stacks
from pipeline.catalog import all_applications
from tests.conftest import LocalAws
from tests.lambdas.contract import event

pytestmark = pytest.mark.aws

CONTEXT = SimpleNamespace(aws_request_id="roles", get_remaining_time_in_millis=lambda: 900_000)
SESSION = {"session_id": "roles_desktop_10:00:00", "session_time": "10:00:00", "user_id": "roles"}


def tell(handler: Callable[..., Any], aws: LocalAws, answers: str) -> None:
    handler(event({"CTRPERCENT": 400.0, "ANOMALY_SCORE": 2.5}), CONTEXT)


def write(handler: Callable[..., Any], aws: LocalAws, answers: str) -> None:
    handler(event(SESSION), CONTEXT)


def produce(handler: Callable[..., Any], aws: LocalAws, answers: str) -> None:
    handler({}, CONTEXT)


def set_up_user(handler: Callable[..., Any], aws: LocalAws, answers: str) -> None:
    """The life of a stack: made, made again over what is there, deleted."""
    pool = aws.outputs["ctr"]["KinesisDataGeneratorUrl"].partition("upid=")[2].partition("&")[0]
    properties = {"UserPoolId": pool, "Username": "roles", "Email": "a@b.c", "Password": "Roles123"}
    for asked in ("Create", "Create", "Delete"):
        request = dict.fromkeys(("StackId", "RequestId", "LogicalResourceId"), "roles")
        request |= {"RequestType": asked, "ResponseURL": answers, "PhysicalResourceId": f"{pool}/roles"}
        handler(request | {"ResourceProperties": properties}, CONTEXT)


TRIALS = {
    "stock_trades_producer": produce,
    "CSEBeconAnomalyResponse": tell,
    "lab-function": write,
    "resources-kda-ctr-user-setup": set_up_user,
}


def resource(service: str, parameters: dict[str, Any]) -> str:
    """The ARN that a call is about, as a policy names it."""
    if service == "s3":
        return f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}"
    if service == "sns":
        return str(parameters["TopicArn"])
    name, kind = {
        "dynamodb": ("TableName", "table"),
        "kinesis": ("StreamName", "stream"),
        "cognito-idp": ("UserPoolId", "userpool"),
    }[service]
    return f"arn:aws:{service}:{LOCAL_REGION}:000000000000:{kind}/{parameters[name]}"


def calls_of(trial: Callable[[], None], endpoint: str) -> set[tuple[str, str]]:
    """Action and resource of each call that clients of the default session make, as a function's do."""
    calls: set[tuple[str, str]] = set()

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.signing_name
        calls.add((f"{service}:{model.name}", resource(service, params)))

    with pytest.MonkeyPatch.context() as patched:
        session = boto3.Session("test", "test", region_name=LOCAL_REGION)
        session.events.register("before-parameter-build", record)
        patched.setattr(boto3, "DEFAULT_SESSION", session)
        patched.setenv("AWS_ENDPOINT_URL", endpoint)
        trial()
    return calls


@pytest.fixture
def answers() -> Iterator[str]:
    """Where CloudFormation would hear how a custom resource went: a failure fails the test."""
    reported: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            reported.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
    assert [answer for answer in reported if answer["Status"] != "SUCCESS"] == []


def allowed(aws: LocalAws, role: str) -> set[tuple[str, str]]:
    """Actions and resources of a role's policies, without those of the function's log."""
    iam, found = aws.client("iam"), set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for statement in policy["Statement"]:
            actions, resources = (
                [value] if isinstance(value, str) else value
                for value in (statement["Action"], statement["Resource"])
            )
            found |= {(a, r) for a in actions for r in resources if not a.startswith("logs:")}
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    return found


def test_every_function_is_tried(local_aws: LocalAws) -> None:
    cloudformation = local_aws.client("cloudformation")
    deployed = {
        made["PhysicalResourceId"]
        for application in all_applications()
        for made in cloudformation.describe_stack_resources(StackName=stacks.stack_name(application.name))[
            "StackResources"
        ]
        if made["ResourceType"] == "AWS::Lambda::Function"
    }
    assert deployed == set(TRIALS)


@pytest.mark.parametrize("name", TRIALS)
def test_a_role_allows_what_its_function_asks_and_nothing_else(
    local_aws: LocalAws, name: str, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = local_aws.client("lambda").get_function_configuration(FunctionName=name)
    for variable, value in function.get("Environment", {}).get("Variables", {}).items():
        monkeypatch.setenv(variable, value)
    module = importlib.import_module(function["Handler"].removesuffix(".handler"))
    module._client.cache_clear()
    try:
        asked = calls_of(lambda: TRIALS[name](module.handler, local_aws, answers), local_aws.endpoint)
    finally:
        module._client.cache_clear()
    rights = allowed(local_aws, function["Role"].rpartition("/")[2])
    assert rights
    granted = {
        (call, right)
        for call in asked
        for right in rights
        if call[0] == right[0] and fnmatch.fnmatchcase(call[1], right[1])
    }
    assert asked - {call for call, _ in granted} == set(), "asked and not allowed"
    assert rights - {right for _, right in granted} == set(), "allowed and never asked"
