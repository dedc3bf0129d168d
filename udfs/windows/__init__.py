"""Windows that Flink SQL can't express, with their Flink functions: sliding row by row, closing, hotspots.

State refers to an open window's classes by module. Old savepoints refer to ``udfs.windows.Windows`` and
``udfs.aggregates``, so both names are kept here.
"""

import sys

from udfs.windows import aggregates
from udfs.windows.closing import Windows

__all__ = ["Windows"]

sys.modules["udfs.aggregates"] = aggregates
