"""Fixtures that the tests of several packages share."""

import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

# Import it here. Otherwise its plugin imports it when the session ends, while Beam's dying threads print tracebacks,
# and CPython 3.11 can't parse in two threads at once (SystemError: AST constructor recursion depth mismatch).
import hypothesis
import pytest

from base.aws import Aws
from tests import order
from tests.jvm import SHORT_LIVED

# Workers run side by side, each with its own local AWS, its own JVM and, by this, its own state on disk.
os.environ["KDA_STATE"] = str(
    Path(__file__).parents[1] / ".kda" / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "alone")
)
# This saves a third of all CPU time. Without a limit a worker's heap grows to a quarter of the machine's memory. The
# network buffers of clusters that ended are outside of it, and count until the heap is next collected.
os.environ["JVM_ARGS"] = f"{SHORT_LIVED} -Xmx2g -XX:MaxDirectMemorySize=4g"

from infra import local, stacks
from pipeline.catalog import all_applications

# How fast examples are made depends on the machine's other load.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

# Tests make and drop many objects: with its usual thresholds the collector takes up to a tenth of their CPU time.
gc.set_threshold(100_000, 50, 50)


def pytest_configure(config: pytest.Config) -> None:
    """Let each worker begin to collect at another place, so that it finds files compiled that others began with."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and [Path(argument).resolve() for argument in config.args] == [order.HERE]:
        config.args[:] = order.turned(int(worker.removeprefix("gw")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, then those that need Flink, the many short ones last."""
    flink = {item.path for item in items if item.get_closest_marker("flink")}
    items.sort(key=lambda item: (order.rank(item.path, item.path in flink), item.path))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> order.OneWorkerApart:
    """Called by pytest-xdist where tests are run by several workers."""
    return order.OneWorkerApart(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Assert that no import started the JVM: it would lack what `infra.flink.prepare` sets."""
    # What was imported stays: the collector need not look at it again and again.
    gc.freeze()
    gateway = sys.modules.get("pyflink.java_gateway")
    assert gateway is None or gateway._gateway is None, "a JVM was started while the tests were collected"


@dataclass(frozen=True)
class LocalAws:
    """The local AWS of a test session, with all stacks deployed.

    Attributes
    ----------
    aws : Aws
    outputs : dict
        The stacks' outputs by application and name.
    """

    aws: Aws
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return str(self.aws.endpoint)

    def client(self, service: str) -> Any:
        return _client(self.aws, service)


@cache
def _client(aws: Aws, service: str) -> Any:
    """Made once: to make one takes as long as twenty calls."""
    return aws.client(service)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local.running_local_aws(tmp_path_factory.mktemp("aws")) as aws:
        # The producer's rounds: few, without pauses and always the same, where a test invokes it.
        parameters = {"trades": {"Rounds": "6", "RoundIntervalSeconds": "0", "Seed": "3"}}
        outputs = {a.name: stacks.deploy(aws, a, parameters.get(a.name)) for a in all_applications()}
        yield LocalAws(aws, outputs)
