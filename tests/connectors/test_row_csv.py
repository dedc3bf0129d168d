"""Rows as CSV: any CSV reader gets the values back."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.row_csv import csv_line


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_reader_gets_the_texts_back(values: list[Any]) -> None:
    line = csv_line(values).decode()
    (found,) = csv.reader(io.StringIO(line + "\n", newline=""), strict=True)
    assert (found or [""]) == [value or "" for value in values]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b""),
        ("", b'""'),
        (" a", b'" a"'),
        ("ä", "ä".encode()),
        (1.5, b"1.5"),
        (float("nan"), b""),
        (True, b"true"),
        (Decimal("1.50"), b"1.50"),
        (datetime(2024, 1, 31, 12), b"2024-01-31 12:00:00.000"),
        (b"\x00", b"AA=="),
        ([1, None], b'"[1,null]"'),
        ("\ud800", b"?"),
    ],
)
def test_values_are_written_as_in_json(value: Any, text: bytes) -> None:
    assert csv_line([value]) == text
