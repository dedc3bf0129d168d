"""HOTSPOTS as a Flink function: adds to each row the hotspots among the last rows, as JSON.

State: the last points, written after each row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.common import Types
from pyflink.datastream.state import ListStateDescriptor

from udfs.windows.hotspots import Hotspots
from udfs.windows.in_order import InOrder
from udfs.windows.keyed_table import column_types, through_keyed_function

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


class HotspotsFunction(InOrder):
    """Adds the hotspots to each row. A row with a missing coordinate adds no point and gets no hotspots.

    Parameters
    ----------
    places : sequence of int
        Positions of the coordinates in a row.
    window_size, scan_radius, minimum_points
        As for :class:`udfs.windows.hotspots.Hotspots`.
    """

    def __init__(
        self, places: Sequence[int], window_size: int, scan_radius: float, minimum_points: int
    ) -> None:
        self._places = tuple(places)
        self._parameters = (window_size, scan_radius, minimum_points)

    def open(self, runtime_context: Any) -> None:
        """Declare the state."""
        super().open(runtime_context)
        self._log = runtime_context.get_list_state(ListStateDescriptor("points", Types.PICKLED_BYTE_ARRAY()))
        self._live: Hotspots | None = None
        self._logged = 0

    def row(self, time: int, values: tuple[Any, ...], ctx: Any) -> Iterable[tuple[Any, ...]]:
        """The row with its hotspots."""
        spots = self._live or self._restored()
        self._live = spots
        point = [values[i] for i in self._places]
        if any(v is None for v in point):
            return [(time, *values, json.dumps({"hotspots": []}))]
        found = spots.push([float(v) for v in point])
        if self._logged >= 2 * self._parameters[0]:
            self._log.update(list(spots.points))
            self._logged = len(spots.points)
        else:
            self._log.add(spots.points[-1])
            self._logged += 1
        return [(time, *values, json.dumps({"hotspots": found}))]

    def _restored(self) -> Hotspots:
        spots, self._logged = Hotspots(*self._parameters), 0
        for point in self._log.get() or ():
            spots.points.append(tuple(point))
            self._logged += 1
        return spots


def hotspots(
    table_env: StreamTableEnvironment,
    table: Table,
    columns: Sequence[str],
    window_size: int,
    scan_radius: float,
    minimum_points: int,
    name: str,
) -> Table:
    """A table's rows, each with ``hotspots_result``, a JSON object like KDA's.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    table : Table
        Insert-only, with the rowtime attribute ``rowtime``.
    columns : sequence of str
        Numeric columns: the coordinates.
    window_size, scan_radius, minimum_points
        As for :class:`udfs.windows.hotspots.Hotspots`.
    name : str
        Unique in the job.
    """
    types = column_types(table)
    places = list(types)
    function = HotspotsFunction([places.index(c) for c in columns], window_size, scan_radius, minimum_points)
    results = types | {"hotspots_result": "STRING"}
    return through_keyed_function(table_env, table, function, (), results, name, "HOTSPOTS")
