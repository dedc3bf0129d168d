"""Windows that SQL can't say: sliding row by row, closing, hotspots; and their doors to Flink.

State names an open window's classes by their modules, and savepoints from before these were a folder say
``udfs.windows.Windows`` and ``udfs.aggregates``: both are found here.
"""

import sys

from udfs.windows import aggregates
from udfs.windows.closing import Windows

__all__ = ["Windows"]

sys.modules["udfs.aggregates"] = aggregates
