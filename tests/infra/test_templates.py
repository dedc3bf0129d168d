"""The CloudFormation templates by themselves: what is in them."""

from pathlib import Path

import pytest
import yaml
from cfnlint.api import lint_file

from infra import stacks

TEMPLATES = sorted((Path(stacks.__file__).parent / "templates").glob("*.yaml"))


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions, such as !Ref, as what they are applied to."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, name, node: (
        loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value
    ),
)


def resources(template: Path, kind: str) -> dict[str, dict]:
    document = yaml.load(template.read_text(), _Loader)
    return {
        name: resource["Properties"]
        for name, resource in document["Resources"].items()
        if resource["Type"] == kind
    }


def each(kind: str) -> list:
    return [
        pytest.param(properties, id=f"{template.stem}-{name}")
        for template in TEMPLATES
        for name, properties in resources(template, kind).items()
    ]


def test_every_lab_has_its_template() -> None:
    assert [stack.template for stack in stacks.STACKS.values()] == [
        path for name in ("trade", "ctr", "session") for path in TEMPLATES if path.stem.startswith(name)
    ]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_templates_are_lint_clean(template: Path) -> None:
    assert lint_file(template) == []


@pytest.mark.parametrize("role", each("AWS::IAM::Role"))
def test_roles_name_their_actions_and_resources(role: dict) -> None:
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action]
            if statement["Resource"] == "*":
                lists = (":List", ":DescribeRegions")
                assert all(any(name in action for name in lists) for action in actions), (
                    "only lists know no resource"
                )


def actions(policies: list[dict]) -> list[str]:
    """Every action that these allow, as often as they do."""
    found = []
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            named = statement["Action"]
            found += [named] if isinstance(named, str) else named
    return sorted(found)


def policies_of(template: str, role: str) -> list[dict]:
    (path,) = (path for path in TEMPLATES if path.stem == template)
    return resources(path, "AWS::IAM::Role")[role]["Policies"]


def test_lab_1s_role_allows_what_the_deployed_jobs_does() -> None:
    """What the deployed job's role allows is compared with the calls it makes in other tests."""
    (deployed,) = (path for path in TEMPLATES if path.stem == "managed_flink")
    needed = set(actions(list(resources(deployed, "AWS::IAM::Policy").values())))
    mine = set(actions(policies_of("ctr_anomaly", "ApplicationRole")))
    assert mine == {action for action in needed if action.partition(":")[0] in ("kinesis", "s3", "lambda")}


def test_the_generators_role_allows_what_its_page_calls() -> None:
    assert actions(policies_of("ctr_anomaly", "GeneratorRole")) == [
        # Refused, the page shows an error in place of its form.
        "ec2:DescribeRegions",
        "firehose:ListDeliveryStreams",
        "firehose:PutRecordBatch",
        "kinesis:ListStreams",
        "kinesis:PutRecords",
    ]


@pytest.mark.parametrize("function", each("AWS::Lambda::Function"))
def test_functions_handlers_exist(function: dict) -> None:
    module, _, name = function["Handler"].rpartition(".")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


@pytest.mark.parametrize("bucket", each("AWS::S3::Bucket"))
def test_buckets_are_private_and_unnamed(bucket: dict) -> None:
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "BucketName" not in bucket, "a bucket's name must be free in all the world"


def test_the_zip_depends_on_the_code_alone() -> None:
    assert stacks._zip_lambdas() == stacks._zip_lambdas()
