"""The anomaly detector over a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from udfs.detector.function import DetectorFunction, DetectorOptions
from udfs.forest.table import column_names, through_keys

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

_OWN_SCORE = {"anomaly_score": "detector_score"}


def detect_anomalies(
    table_env: StreamTableEnvironment, table: Table, options: DetectorOptions, name: str = "detector"
) -> Table:
    """Detect anomalies in a table's rows, in order.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the new table is created.
    table : Table
        Insert-only, with one rowtime attribute. Columns may be of any type but arrays, maps, rows and bytes.
    options : DetectorOptions
        What to watch, and how.
    name : str
        Unique in the job; views and the detectors' state are named after it.

    Returns
    -------
    Table
        Every row, with the columns of ``table`` and those of :attr:`DetectorOptions.results`. A row that is skipped for
        a missing value has the reason ``MISSING_VALUE``. If ``table`` has an ``anomaly_score`` from a forest, it stays,
        and the detector's own is ``detector_score``.

    Raises
    ------
    ValueError
        For a column that is missing or not numeric, for more than 30 columns, and if the table already has a column
        with the name of a result.
    """
    columns = column_names(table)
    function = DetectorFunction(columns, options)
    results = {_OWN_SCORE.get(k, k) if k in columns else k: type_ for k, type_ in options.results.items()}
    output, inbound, rowtime = through_keys(table_env, table, options, function, results, f"detector {name}")
    kept = ", ".join([*inbound, *(f"`{result}`" for result in results), f"`{rowtime}`"])
    return table_env.sql_query(f"SELECT {kept} FROM {output}")
