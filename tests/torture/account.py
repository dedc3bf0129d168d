"""The result of a trial: records in, rows out, and which rows are missing or wrong."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from tests.torture.lab import Outcome


@dataclass
class Account:
    """Records in, failures caused, and rows out.

    Attributes
    ----------
    backend : str
        Where the job keeps its state: Flink's ``state.backend.type``.
    records : int
        On the stream.
    lost : int
        Acknowledged records that the killed stream has lost; if there are any, the trial proves nothing.
    kills : Counter
    rows, rows_expected : int
    missing, wrong, repeated : int
        Rows that never came, that came with other values, and that came again although each may come only once.
    again : int
        Rows that a function got again, with the same key.
    errors_expected, errors_missing, errors_repeated, errors_other : int
        The same for the error stream, which may report a record several times; other: errors for good records.
    calls : set of str
        The job's calls of AWS, as the actions of a policy.
    seconds : float
    """

    lab: str
    backend: str
    records: int = 0
    lost: int = 0
    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    rows: int = 0
    rows_expected: int = 0
    missing: int = 0
    wrong: int = 0
    repeated: int = 0
    again: int = 0
    errors_expected: int = 0
    errors_missing: int = 0
    errors_repeated: int = 0
    errors_other: int = 0
    calls: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def exact(self) -> bool:
        amiss = (self.lost, self.missing, self.wrong, self.repeated, self.errors_missing, self.errors_other)
        return not any(amiss)

    def lines(self) -> list[str]:
        kills = ", ".join(f"{n} × {kind}" for kind, n in sorted(self.kills.items())) or "nothing"
        return [
            f"{self.lab} on {self.backend}: {'EXACT' if self.exact() else 'NOT EXACT'} after {self.seconds:.0f} s; "
            f"killed: {kills}",
            f"  in   {self.records:,} records, {self.lost} lost by the stream",
            f"  sink {self.rows:,} rows of {self.rows_expected:,}: {self.missing} missing, {self.wrong} wrong, "
            f"{self.repeated} repeated" + (f"; {self.again} given again" if self.again else ""),
            f"  reported {self.errors_expected:,} errors: {self.errors_missing} missing, {self.errors_repeated} "
            f"repeated, {self.errors_other} of good records",
        ]

    def compare(self, records: int, expected: Outcome, found: Outcome) -> None:
        """Compare the rows that came with the expected ones, and fill in the account."""
        self.records = records
        self.rows, self.rows_expected = sum(found.rows.values()), sum(expected.rows.values())
        self.missing = sum((expected.rows - found.rows).values())
        self.wrong = len(found.rows.keys() - expected.rows.keys())
        self.repeated = sum((found.rows - expected.rows).values()) - self.wrong
        self.errors_expected = sum(expected.errors.values())
        self.errors_missing = sum((expected.errors - found.errors).values())
        self.errors_other = sum(n for row, n in found.errors.items() if row not in expected.errors)
        self.errors_repeated = sum((found.errors - expected.errors).values()) - self.errors_other
