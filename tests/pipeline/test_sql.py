"""Binding of parameters: typed, complete, and never through strings or comments."""

from datetime import timedelta
from decimal import Decimal

import pytest

from pipeline.sql import bind, literal, with_options


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "TRUE"),
        (3, "3"),
        (2.0, "2.0E0"),
        (1e-9, "1E-9"),
        (Decimal("1.50"), "1.50"),
        ("it's", "'it''s'"),
        (timedelta(hours=24), "INTERVAL '1 00:00:00.000' DAY TO SECOND(3)"),
        (timedelta(milliseconds=1500), "INTERVAL '0 00:00:01.500' DAY TO SECOND(3)"),
    ],
)
def test_literals(value: object, text: str) -> None:
    assert literal(value) == text  # type: ignore[arg-type]


def test_names_in_strings_identifiers_comments_and_times_are_left_alone() -> None:
    statement = "SELECT ':a', `:a`, TIMESTAMP '2024-01-01 00:00:00' -- :a\n/* :a */ WHERE x > :a"
    assert bind(statement, {"a": 1}) == statement[: -len(":a")] + "1"


def test_a_value_is_never_read_as_sql() -> None:
    assert bind("x = :a", {"a": "'; DROP TABLE t; --:b"}) == "x = '''; DROP TABLE t; --:b'"


def test_a_name_that_is_no_property_is_an_error_at_its_place() -> None:
    with pytest.raises(
        ValueError, match=r"x\.sql:2:8: :a\.threshhold is not a property; there are a\.threshold"
    ):
        bind("SELECT 1,\n     + :a.threshhold", {"a.threshold": 1, "b.size": 2}, where="x.sql")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), b"x", timedelta(days=100), timedelta(seconds=-1)]
)
def test_values_without_a_literal_are_errors(value: object) -> None:
    with pytest.raises(ValueError, match="literal: required"):
        literal(value)  # type: ignore[arg-type]


def test_options_are_quoted() -> None:
    assert with_options({"stream": "a'b"}) == "WITH (\n  'stream' = 'a''b'\n)"
