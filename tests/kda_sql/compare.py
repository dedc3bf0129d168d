"""Rows that came beside those that were expected; the rules are in ``cases/README.md``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.kda_sql.case import Case, milliseconds

Row = dict[str, Any]


def differences(case: Case, stream: str, expected: Any, rows: Sequence[Row]) -> Iterator[str]:
    """What is not as expected in one stream, a line each. A row has ROWTIME in milliseconds and its columns."""
    if "checks" in expected:
        yield from _checked(case, expected["checks"], rows)
        return
    wanted, order = expected["rows"], expected["order"]
    if order == "exact":
        yield from _in_turn(wanted, rows)
    elif order == "any":
        yield from _any_order(wanted, rows)
    else:
        column = order["per_key"]
        keys = {json.dumps(r.get(column)) for r in [*wanted, *rows]}
        for key in sorted(keys):
            yield from _in_turn(
                [r for r in wanted if json.dumps(r[column]) == key],
                [r for r in rows if json.dumps(r.get(column)) == key],
            )


def errors_differ(expected: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    """What is not as expected in the error stream."""
    left = list(rows)
    for want in expected:
        found = next((r for r in left if _is_error(want, r)), None)
        if found is None:
            yield f"required an error {json.dumps(want)}, got {json.dumps(left)[:400]}"
        else:
            left.remove(found)
    for row in left:
        yield f"an error that was not expected: {json.dumps(row)[:300]}"


def _is_error(want: Row, row: Row) -> bool:
    data = bytes.fromhex(row.get("data_row") or "").decode("utf-8", "replace")
    return (
        want["data_contains"] in data
        and want.get("message_contains", "").lower() in (row.get("message") or "").lower()
        and want.get("error_name", row.get("error_name")) == row.get("error_name")
        and want.get("pump", row.get("pump_name")) == row.get("pump_name")
    )


def _in_turn(wanted: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    for i, (want, row) in enumerate(zip(wanted, rows, strict=False), 1):
        wrong = [c for c in want if not _same(c, want[c], row.get(c, "no such column"))]
        if wrong:
            shown = ", ".join(f"{c}: required {want[c]!r}, got {_shown(c, row.get(c))}" for c in wrong)
            yield f"row {i}: {shown}"
    yield from _counted(wanted, rows)


def _any_order(wanted: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    left = list(rows)
    for want in wanted:
        found = next(
            (r for r in left if all(_same(c, want[c], r.get(c, "no such column")) for c in want)), None
        )
        if found is None:
            yield f"required {json.dumps(want)}"
        else:
            left.remove(found)
    for row in left:
        yield f"not expected: {json.dumps({c: _shown(c, v) for c, v in row.items()})}"


def _counted(wanted: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    if len(wanted) != len(rows):
        more = f"; the next is {rows[len(wanted)]}" if len(rows) > len(wanted) else ""
        yield f"required {len(wanted)} rows, got {len(rows)}{more}"


def _same(column: str, want: Any, got: Any) -> bool:
    if column == "ROWTIME" and isinstance(want, str):
        return bool(milliseconds(want) == got)
    if isinstance(want, dict):
        if "any_of" in want:
            return any(_same(column, w, got) for w in want["any_of"])
        return isinstance(got, str) and bool(re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", got))
    if want is None or got is None:
        return want is got
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, int | float) and isinstance(got, int | float):
        return math.isclose(want, got, rel_tol=1e-6, abs_tol=1e-12)
    if isinstance(want, str) and isinstance(got, str):
        time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
        if re.fullmatch(time, want) and re.match(r"\d{4}-\d\d-\d\d[ T]", got):
            return milliseconds(want) == milliseconds(got)
        return want.rstrip(" ") == got.rstrip(" ")
    return bool(want == got)


def _shown(column: str, value: Any) -> Any:
    if column == "ROWTIME" and isinstance(value, int):
        from datetime import UTC, datetime

        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
    return value


def _checked(case: Case, checks: dict[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    score, zero = checks.get("score", ""), checks.get("zero_first", 0)
    above = checks.get("above") or {}
    if "rows" in checks and len(rows) != checks["rows"]:
        yield f"required {checks['rows']} rows, got {len(rows)}"
    if "at_most" in checks and len(rows) > checks["at_most"]:
        yield f"required at most {checks['at_most']} rows, got {len(rows)}"
    if "pass_through" in checks:
        yield from _passed(case, checks["pass_through"], rows)
    if zero:
        for i, row in enumerate(rows):
            if (row[score] == 0) != (i < zero):
                yield f"row {i}: {score} is {row[score]}, with the first {zero} 0"
                break
    if above:
        found = {row[above["column"]] for row in rows if row[score] > above["threshold"]}
        missing = [k for k in above["keys"] if k not in found]
        if missing:
            yield f"{score} is not above {above['threshold']} for {missing}"
    if "mean_between" in checks:
        rest = [r[score] for r in rows[zero:] if not above or r[above["column"]] not in above["keys"]]
        mean = sum(rest) / max(len(rest), 1)
        if not checks["mean_between"][0] <= mean <= checks["mean_between"][1]:
            yield f"mean of {score} is {mean}, required {checks['mean_between']}"
    if "contains" in checks:
        column = checks["contains"]["column"]
        for value in checks["contains"]["values"]:
            if not any(_same(column, value, row[column]) for row in rows):
                yield f"{column}: required a row with {value}"
    if "all_above" in checks:
        column, threshold = checks["all_above"]["column"], checks["all_above"]["threshold"]
        yield from (
            f"{column} is {r[column]}, required above {threshold}" for r in rows if r[column] <= threshold
        )
    if "sorted_within" in checks:
        yield from _sorted(checks["sorted_within"], rows)
    if "values" in checks:
        for key, values in checks["values"]["of"].items():
            row = next((r for r in rows if str(r[checks["values"]["by"]]) == str(key)), {})
            yield from (
                f"{key}: {c} is {row.get(c)}, required {v}"
                for c, v in values.items()
                if not _same(c, v, row.get(c))
            )
    if "explanation" in checks:
        yield from _explained(checks["explanation"], rows, score)
    if "hotspots" in checks:
        yield from _hotspots(checks["hotspots"], rows)


def _passed(case: Case, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    records = [json.loads(r.data) for rs in case.records().values() for r in rs]
    if len(records) != len(rows):
        yield f"pass_through: {len(records)} records, {len(rows)} rows"
    for i, (record, row) in enumerate(zip(records, rows, strict=False)):
        by_name = {k.upper(): v for k, v in record.items()}
        for column in columns:
            if not _same(column, by_name.get(column.upper()), row.get(column)):
                yield f"row {i}: {column} is {row.get(column)!r}, required {by_name.get(column.upper())!r}"
                return


def _sorted(check: dict[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    count, _, unit = str(check["unit"]).rpartition(" ")
    step = int(count or 1) * {"SECOND": 1000, "MINUTE": 60_000}[unit]
    pairs = [
        (r["ROWTIME"] // step, -r[check["column"]] if check["descending"] else r[check["column"]])
        for r in rows
    ]
    if pairs != sorted(pairs):
        yield f"rows are not sorted within each {check['unit']}"


def _explained(check: dict[str, Any], rows: Sequence[Row], score: str) -> Iterator[str]:
    for i, row in enumerate(rows):
        found = json.loads(row[check["column"]])
        if list(found) != check["attributes"]:
            yield f"row {i}: attributes {list(found)}, required {check['attributes']}"
            return
        for name, fields in found.items():
            if list(fields) != check["fields"] or not all(isinstance(v, str) for v in fields.values()):
                yield f"row {i}: {name} has {fields}"
                return
        total = sum(float(f["ATTRIBUTION_SCORE"]) for f in found.values())
        if abs(total - row[score]) > check["sum_tolerance"]:
            yield f"row {i}: attributions add up to {total}, the score is {row[score]}"
    for key, attribute in check["strongest"]["keys"].items():
        found = _explanation(check, rows, check["strongest"]["column"], key)
        best = max(found, key=lambda name: float(found[name]["ATTRIBUTION_SCORE"]))
        if best != attribute:
            yield f"{key}: the strongest is {best}, required {attribute}"
    for key, directions in check["direction"]["keys"].items():
        found = _explanation(check, rows, check["direction"]["column"], key)
        for name, direction in directions.items():
            if found[name]["DIRECTION"] != direction:
                yield f"{key}: {name} is {found[name]['DIRECTION']}, required {direction}"


def _explanation(check: dict[str, Any], rows: Sequence[Row], column: str, key: str) -> dict[str, Any]:
    row = next(r for r in rows if r[column] == key)
    return dict(json.loads(row[check["column"]]))


def _hotspots(check: dict[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    for i, row in enumerate(rows):
        spots = json.loads(row[check["column"]])["hotspots"]
        if i < check["from_row"]:
            continue
        if not any(_holds(s, check["some_box_holds"], check["slack"]) for s in spots):
            yield f"row {i}: no box holds {check['some_box_holds']}: {spots}"
            return
        for point in check["no_box_holds"]:
            if any(_holds(s, point, 0.0) for s in spots):
                yield f"row {i}: a box holds {point}"
                return


def _holds(spot: dict[str, Any], point: Sequence[float], slack: float) -> bool:
    bounds = zip(spot["minValues"], spot["maxValues"], point, strict=True)
    return all(low - slack <= p <= high + slack for low, high, p in bounds)
