"""Our packages, which tests of the whole tree read."""

ROOMS = (
    "base",
    "jobs",
    "pipeline",
    "kda_sql",
    "udfs",
    "connectors",
    "lambdas",
    "generator",
    "discovery",
    "infra",
    "workbench",
    "cli",
    "console",
)
