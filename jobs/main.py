"""Entry point on a cluster: starts the job of the application that the property groups name.

Managed Service for Apache Flink writes the groups to a fixed path. ``job.name`` is the application.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.catalog import find
from pipeline.environment import table_environment
from pipeline.pipeline import Pipeline
from pipeline.requirements import check
from pipeline.settings import SettingsError, read_groups, settings

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, TableResult

#: The file of property groups on the service.
MANAGED_PROPERTIES = Path("/etc/flink/application_properties.json")


def start(
    groups: Mapping[str, Mapping[str, str]],
    environment: Callable[[], StreamTableEnvironment] = table_environment,
) -> TableResult:
    """Start the job of the application that the property groups name.

    Raises
    ------
    KdaError
        A group, a property or the application is wrong, or what it needs is missing.
    """
    name = groups.get("job", {}).get("name")
    if not name:
        raise SettingsError("job.name is required, and not set")
    application = find(name)
    given = settings(application, groups)
    # A wrong name is one line in the log instead of a job that restarts forever.
    check(application, given)
    pipeline = Pipeline(environment(), application, given)
    pipeline.deliver()
    return pipeline.execute()


def main() -> None:
    """Run the application that the property groups name."""
    start(read_groups(Path(os.environ.get("APPLICATION_PROPERTIES", MANAGED_PROPERTIES))))


if __name__ == "__main__":
    main()
