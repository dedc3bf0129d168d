"""Fixtures that tests of more than one room share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Its plugin would import it when the session ends, and compile it beside the tracebacks of Beam's dying threads: two
# threads that parse at once are more than CPython 3.11 bears (SystemError: AST constructor recursion depth mismatch).
import hypothesis  # noqa: F401
import pytest

from infra import clients, local, stacks
from pipeline.catalog import all_applications


@dataclass(frozen=True)
class LocalAws:
    """The local AWS of a test session, with all stacks deployed.

    Attributes
    ----------
    endpoint : str
    outputs : dict
        The stacks' outputs by application and name.
    """

    endpoint: str
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return clients.client(service, self.endpoint)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local.running_local_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        # The producer's rounds: few and without pauses, where a test invokes it.
        parameters = {"trades": {"Rounds": "3", "RoundIntervalSeconds": "0"}}
        outputs = {a.name: stacks.deploy(endpoint, a, parameters.get(a.name)) for a in all_applications()}
        yield LocalAws(endpoint, outputs)
