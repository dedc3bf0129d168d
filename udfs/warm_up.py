"""Compiles all that is compiled, for the arrays that jobs use: once per machine, before a user waits for it."""

from __future__ import annotations

import struct

import numpy as np

from udfs.anomaly_detector import AnomalyDetector
from udfs.decoding.columns import Column
from udfs.decoding.json_rows import JsonRows
from udfs.forest.arena import Arena
from udfs.forest.compact_arena import CompactArena
from udfs.random_cut_forest import RandomCutForest
from udfs.row_columns import RowLayout, Rows


def warm_up() -> None:
    """Load all compiled functions, compiling them first if they are not cached: a minute or two, once per machine.

    The first rows of a job do so too.
    """
    forest = RandomCutForest(1, number_of_trees=1, sub_sample_size=10)
    forest.score_many(np.arange(12.0)[:, None])
    forest.attribution([3.0])
    arena = Arena(forest.parameters, 0)
    slot, _ = arena.allocate(forest.to_bytes())
    arena.score_each([slot], [[3.0]])
    forest.score([3.0])
    compact = CompactArena(forest.parameters, 1 << 20)
    slot = compact.allocate(forest)
    compact.score_each([slot], [[3.0]])
    compact.to_bytes(slot)
    AnomalyDetector().detect_many(np.arange(12.0)[:, None])
    _rows()


def _rows() -> None:
    """A row of one number as PyFlink sends it, and a record of one number."""
    number = struct.pack(">d", 1.0)
    key = struct.pack(">i", 1) + b"k"
    # Time and watermark; then, each after a byte that says which fields are there: key and element, and its one number.
    message = struct.pack(">Bqq", 0, 0, 0) + b"\x00" + key + b"\x00" + number
    rows = Rows.read(bytes([len(message)]) + message, RowLayout(["DoubleCoder"], [0], rowtime=False))
    rows.scored(0, 1, np.zeros(1), 0)
    reader, record = JsonRows([Column("v", "DOUBLE", "$.v")]), np.frombuffer(b'{"v": 1}', np.uint8)
    found = reader.read(record, np.zeros(1, np.int64), np.full(1, len(record)))
    part = np.array([[0, 1]])
    reader.written(record, found, 0, 1, part, part[None], np.zeros((1, 2), np.uint64), 3)
