"""The base of this project's errors.

An error whose message is for the user derives from :class:`KdaError`. Its message says where, what was required, what
came and what to do; the command line and the page show it without a traceback. Any other exception is a bug and comes
with its traceback.

::

    KdaError
    ├── InvalidValue            a parameter, a column or a type that can't be used
    ├── ApplicationError, SettingsError, QueryError             pipeline: description, properties, queries
    ├── KdaSqlError, DescriptionError                           kda_sql: what is imported
    ├── StateError                                              udfs: a saved forest or detector
    ├── ConnectorError                                          connectors: a service that is not there
    ├── ScenarioError, TemplateError, SinkError                 generator
    ├── DiscoveryError                                          discovery
    ├── FlinkError, JavaError, ChildError, LocalAwsError, PackageError    infra: this machine
    ├── StackError (LossError), CodeError, ServiceError, StreamError    infra: services
    ├── StoreError (Conflict), NameRefused, Refused             workbench
    ├── DemoError                                               cli
    └── JobError, StandbyError, SenderError, BacktestError, InputError, BodyError, Unknown                     console
"""

from __future__ import annotations


class KdaError(Exception):
    """An error that the user can fix; the message says what is wrong and how to fix it."""


class InvalidValue(KdaError, ValueError):
    """A value that can't be used. The message names it and says what is required and what came."""
