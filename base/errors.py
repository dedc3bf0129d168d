"""The base of our errors.

An error whose message is for a person derives from :class:`KdaError`: the message says where, what was required, what
came and what to do, and the command line and the page show it as it is. Any other exception is a mistake of ours and
comes with its traceback.

::

    KdaError
    ├── InvalidValue            a parameter, a column or a type that can't be used
    ├── ApplicationError, SettingsError, QueryError             pipeline: description, properties, queries
    ├── KdaSqlError, DescriptionError                           kda_sql: what is imported
    ├── StateError                                              udfs: a saved forest or detector
    ├── ConnectorError                                          connectors: a service that is not there
    ├── ScenarioError, TemplateError, SinkError                 generator
    ├── DiscoveryError                                          discovery
    ├── StackError (LossError), CodeError, PackageError, FlinkError, LocalAwsError, ServiceError, StreamError    infra
    ├── StoreError (Conflict), NameRefused, Refused             workbench
    ├── DemoError                                               cli
    └── JobError, StandbyError, SenderError, BacktestError, InputError, BodyError, Unknown                     console
"""

from __future__ import annotations


class KdaError(Exception):
    """Something that a person can put right; the message says what and how."""


class InvalidValue(KdaError, ValueError):
    """A value that can't be used: the message says which, what is required and what came."""
