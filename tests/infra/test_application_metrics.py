"""What CloudWatch knows of an application, asked of the local AWS."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.application_metrics import Metrics, measured
from tests.conftest import LocalAws

pytestmark = pytest.mark.aws


def put(aws: LocalAws, metric: str, value: float, ago: timedelta, **dimensions: str) -> None:
    datum: dict[str, Any] = {
        "MetricName": metric,
        "Value": value,
        "Timestamp": datetime.now(UTC) - ago,
        "Dimensions": [{"Name": name, "Value": of} for name, of in dimensions.items()],
    }
    aws.client("cloudwatch").put_metric_data(Namespace="AWS/KinesisAnalytics", MetricData=[datum])


def test_the_newest_values_of_this_application_and_stream(local_aws: LocalAws) -> None:
    assert measured(local_aws.aws, "kda-measured", "clicks") == Metrics()
    for value, minutes in ((9000.0, 3), (2500.0, 1)):
        ago = timedelta(minutes=minutes)
        put(
            local_aws, "millisBehindLatest", value, ago, Application="kda-measured", Id="clicks", Flow="Input"
        )
    recent, old = timedelta(minutes=1), timedelta(minutes=30)
    put(local_aws, "millisBehindLatest", 1.0, recent, Application="kda-measured", Id="other", Flow="Input")
    put(local_aws, "numberOfFailedCheckpoints", 3, recent, Application="kda-measured")
    put(local_aws, "numberOfFailedCheckpoints", 8, recent, Application="kda-other")
    put(local_aws, "numLateRecordsDropped", 4, old, Application="kda-measured")
    assert measured(local_aws.aws, "kda-measured", "clicks") == Metrics(2.5, 3, None)
