"""Custom resource of lab 1's stack: the Cognito user that signs in to the data generator.

CloudFormation's own user type takes no password. The properties are ``UserPoolId``, ``Username``, ``Email`` and
``Password``. The password is never printed, and an error is reported only by its type or AWS's code, as its message may
quote the password.
"""

import contextlib
import json
import urllib.request
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError


@cache
def _client() -> Any:
    return boto3.client("cognito-idp")


def handler(event: dict[str, Any], context: Any) -> None:
    """Create, update or delete the user, and report the result to CloudFormation."""
    properties = event["ResourceProperties"]
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": f"{properties['UserPoolId']}/{properties['Username']}",
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    try:
        if event["RequestType"] == "Delete":
            _delete(event["PhysicalResourceId"])
        else:
            _put(properties)
    except Exception as error:  # CloudFormation must hear of any failure, or it waits for an hour
        reason = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        answer |= {"Status": "FAILED", "Reason": f"the user was not set up: {reason}"}
        if event["RequestType"] == "Delete":
            answer["PhysicalResourceId"] = event["PhysicalResourceId"]
    request = urllib.request.Request(  # noqa: S310
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _put(properties: dict[str, str]) -> None:
    cognito, user = _client(), {"UserPoolId": properties["UserPoolId"], "Username": properties["Username"]}
    attributes = [
        {"Name": "email", "Value": properties["Email"]},
        {"Name": "email_verified", "Value": "true"},
    ]
    try:
        # No invitation by e-mail: it would hold a password.
        cognito.admin_create_user(**user, UserAttributes=attributes, MessageAction="SUPPRESS")
    except cognito.exceptions.UsernameExistsException:
        cognito.admin_update_user_attributes(**user, UserAttributes=attributes)
    cognito.admin_set_user_password(**user, Password=properties["Password"], Permanent=True)


def _delete(resource_id: str) -> None:
    pool, _, username = resource_id.partition("/")
    gone = (_client().exceptions.UserNotFoundException, _client().exceptions.ResourceNotFoundException)
    with contextlib.suppress(*gone):
        _client().admin_delete_user(UserPoolId=pool, Username=username)
