"""Entry point on a cluster: starts the job of the application that the property groups name.

Managed Service for Apache Flink writes the groups to a fixed path. ``job.name`` is the application.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.catalog import find
from pipeline.environment import table_environment
from pipeline.pipeline import Pipeline
from pipeline.requirements import check
from pipeline.settings import SettingsError, read_groups, settings

#: The file of property groups on the service.
MANAGED_PROPERTIES = Path("/etc/flink/application_properties.json")


def main() -> None:
    """Run the application that the property groups name."""
    groups = read_groups(Path(os.environ.get("APPLICATION_PROPERTIES", MANAGED_PROPERTIES)))
    name = groups.get("job", {}).get("name")
    if not name:
        raise SettingsError("job.name is required, and not set")
    application = find(name)
    given = settings(application, groups)
    # A wrong name is one line in the log instead of a job that restarts forever.
    check(application, given)
    pipeline = Pipeline(table_environment(), application, given)
    pipeline.deliver()
    pipeline.execute()


if __name__ == "__main__":
    main()
