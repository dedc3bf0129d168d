"""HOTSPOTS: the dense boxes among the last rows.

AWS documents the input and the output but not the algorithm. This one is DBSCAN with boxes instead of balls. A point is
dense if at least ``minimum_points`` of the last ``window_size`` points, including itself, are within ``scan_radius`` of
it in every dimension. Dense points within that distance of each other belong to one hotspot, whose box encloses them
and their neighbours. Cost per row: O(window_size^2 * dimensions).

Examples
--------
>>> spots = Hotspots(window_size=100, scan_radius=1.0, minimum_points=3)
>>> [len(spots.push(p)) for p in [(0.0,), (0.5,), (9.0,), (0.2,)]]
[0, 0, 0, 1]
>>> spots.push((50.0,))[0]["minValues"]
[0.0]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np


class Hotspots:
    """The last points, and their hotspots.

    Parameters
    ----------
    window_size : int
        How many of the last points count, 100-1000.
    scan_radius : float
        Points at most this far apart in every dimension are neighbours.
    minimum_points : int
        A point with at least this many neighbours, including itself, is dense.
    """

    def __init__(self, window_size: int, scan_radius: float, minimum_points: int) -> None:
        self._radius, self._least = scan_radius, minimum_points
        self.points: deque[tuple[float, ...]] = deque(maxlen=window_size)

    def push(self, point: Sequence[float]) -> list[dict[str, Any]]:
        """Add a point; returns the hotspots, the densest first: density, minValues, maxValues."""
        self.points.append(tuple(point))
        points = np.array(self.points, np.float64)
        near = (np.abs(points[:, None, :] - points[None, :, :]) <= self._radius).all(axis=2)
        dense = near.sum(axis=1) >= self._least
        found, seen = [], np.zeros(len(points), bool)
        for start in np.flatnonzero(dense):
            if seen[start]:
                continue
            members = np.zeros(len(points), bool)
            border = np.zeros(len(points), bool)
            border[start] = True
            while border.any():
                members |= border
                border = near[border].any(axis=0) & dense & ~members
            seen |= members
            inside = points[near[members].any(axis=0)]
            low, high = inside.min(axis=0), inside.max(axis=0)
            volume = float(np.prod(np.maximum(high - low, self._radius / 1000)))
            found.append(
                {"density": len(inside) / volume, "minValues": low.tolist(), "maxValues": high.tolist()}
            )
        return sorted(found, key=lambda spot: -spot["density"])
