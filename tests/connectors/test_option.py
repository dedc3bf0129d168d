"""The table of a connector's options is complete and right."""

import dataclasses

import pytest

from base.aws import Aws
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.option import options_of

#: Fields that the deployment and the application set, not the destination's property group.
NOT_OPTIONS = {"aws", "application_arn", "name"}


def test_every_field_of_the_lambda_sink_is_an_option_with_help() -> None:
    options = {o.name: o for o in options_of(LambdaSinkOptions)}
    assert set(options) | NOT_OPTIONS == {f.name for f in dataclasses.fields(LambdaSinkOptions)}
    assert all(o.help for o in options.values())
    assert options["concurrency"].default == 8
    assert (options["concurrency"].minimum, options["concurrency"].maximum) == (1, 128)
    assert options["max_retries"].type == int | None
    assert options["function"].default is dataclasses.MISSING
    assert options["format"].choices == ("json", "csv")


def test_an_error_names_the_property_of_the_destination() -> None:
    with pytest.raises(ValueError, match=r"^alerts\.concurrency must be between 1 and 128, got 0$"):
        LambdaSinkOptions("f", Aws("us-east-1"), concurrency=0, name="alerts")
