"""What a tag makes: the KDG's own helpers in detail, every mapped name at least once."""

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from generator.modules import MODULES
from generator.source import Source
from generator.template import Template, TemplateError

NAMES = [f"{module}.{method}" for module, methods in MODULES.items() for method in methods]
NEEDED = {
    "random.weightedArrayElement": '({"weights": [1], "data": ["a"]})',
    "helpers.shuffle": "([1, 2, 3])",
    "helpers.slugify": "(a b)",
    "helpers.replaceSymbols": "(#?)",
    "helpers.replaceSymbolWithNumber": "(#)",
}


def values(tag, number=1000, seed=1):
    make = Template("{{" + tag + "}}", Source(seed), MODULES)
    return [make() for _ in range(number)]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_text_that_fits_into_a_json_string(name):
    for value in values(name + NEEDED.get(name, ""), number=50):
        assert value
        assert json.loads(f'"{value}"') == value


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ('({"min": 1, "max": 3})', {"1", "2", "3"}),
        ("(2)", {"0", "1", "2"}),
        ('({"min": -2, "max": -1})', {"-2", "-1"}),
        ('({"min": 0, "max": 0.3, "precision": 0.1})', {"0", "0.1", "0.2", "0.3"}),
        ('({"min": 1.25, "max": 1.75, "precision": 0.25})', {"1.25", "1.5", "1.75"}),
        ('({"min": 5, "max": 16, "precision": 5})', {"5", "10", "15"}),
        ('({"min": 1.5, "max": 3.5})', {"2", "3"}),
    ],
)
def test_number_includes_both_ends(argument, expected):
    assert set(values(f"random.number{argument}")) == expected


def test_number_without_an_argument_is_below_100000():
    drawn = [int(v) for v in values("random.number", 20_000)]
    assert min(drawn) >= 0
    assert max(drawn) <= 99_999
    assert min(drawn) < 100
    assert max(drawn) > 99_900


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("random.number(abc)", "random.number takes a number .* got 'abc'"),
        ('random.number({"min": 5, "max": 4})', "random.number needs a multiple of the precision between"),
        ('random.number({"precision": 0})', "needs a precision above 0"),
        ('random.number({"max": "9"})', "takes finite numbers"),
        ('random.number({"max": true})', "takes finite numbers"),
        ('random.number({"max": 1e999})', "takes finite numbers"),
        ('random.number({"max": 1' + "0" * 400 + "})", "random.number needs smaller numbers"),
        ('random.number({"max": 1e308, "precision": 1e-308})', "random.number needs smaller numbers"),
        ("random.arrayElement(" + "[" * 700 + "]" * 700 + ")", "nested so deeply"),
        ("random.arrayElement([])", "at least one element"),
        ("random.arrayElement(3)", "takes an array"),
        ("random.objectElement([1])", "takes an object"),
        ("random.weightedArrayElement", "of equal length"),
        ('random.weightedArrayElement({"weights": [1], "data": []})', "of equal length"),
        ('random.weightedArrayElement({"weights": [-1, 2], "data": [1, 2]})', "weights of 0 or more"),
        ('random.weightedArrayElement({"weights": [0], "data": [1]})', "at least one weight above 0"),
        ('random.weightedArrayElement({"weights": [1e999, 1], "data": [1, 2]})', "weights of 0 or more"),
        ("lorem.words(1000000000)", "whole number from 0 to 10000"),
        ("lorem.words(-1)", "whole number from 0 to 10000"),
        ("random.alphaNumeric(true)", "whole number from 0 to 10000"),
        ("date.past(10000)", "at most 1,000 years"),
        ("date.now(5)", "takes a format of moment.js"),
        ("helpers.shuffle", "takes an array"),
        ("finance.amount(-1)", "takes a number from 0 to 1000"),
    ],
)
def test_arguments_that_can_not_be_meant(tag, message):
    with pytest.raises(TemplateError, match=message):
        values(tag)


def test_array_elements_are_equally_likely():
    counts = Counter(values('random.arrayElement(["a", 1, true])', 9000))
    assert set(counts) == {"a", "1", "true"}
    assert all(2800 < n < 3200 for n in counts.values())


def test_weights_are_shares():
    counts = Counter(
        values('random.weightedArrayElement({"weights": [30, 20, 50, 0], "data": [1, 2, 3, 4]})', 10_000)
    )
    assert set(counts) == {"1", "2", "3"}
    assert abs(counts["1"] - 3000) < 200
    assert abs(counts["3"] - 5000) < 200


def test_object_element_is_a_value():
    assert set(values('random.objectElement({"a": 1, "b": "x"})')) == {"1", "x"}


def test_uuid_is_version_4():
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", v)
               for v in values("random.uuid"))  # fmt: skip


def test_patterns():
    assert re.fullmatch(r"\d\d-[A-Z]-[A-Z0-9]", values("helpers.replaceSymbols(##-?-*)", 1)[0])
    assert re.fullmatch(r"555-\d{4}", values("phone.phoneNumber(555-####)", 1)[0])


NOON = datetime(2026, 3, 4, 12, 0, 0, 5000, tzinfo=UTC)


def dated(tag, start=None, elapsed=None):
    source = Source(1, now=lambda: NOON, start=start)
    source.elapsed_seconds = elapsed
    return Template("{{" + tag + "}}", source, MODULES)()


def test_dates():
    assert dated("date.now") == "2026-03-04T12:00:00+00:00"
    assert dated("current.timestamp") == "2026-03-04T12:00:00+00:00"
    assert dated("date.utc") == "2026-03-04T12:00:00Z"
    assert dated('date.now("x")') == "1772625600005"
    assert dated("date.now(YYYY/MM)") == "2026/03"
    assert dated('date.utc("h:mm A")') == "12:00 PM"


def test_simulated_time_is_start_and_elapsed_seconds_else_the_clock():
    start = datetime(2020, 1, 1, tzinfo=UTC)
    assert dated("date.simTime", start, 86400.5) == "2020-01-02T00:00:00+00:00"
    assert dated('date.simTime("x")', start, 0.001) == "1577836800001"
    assert dated("date.simTime", start, None) == "2026-03-04T12:00:00+00:00"


def test_dates_near_now_read_as_in_javascript():
    # Within a year back; the text is that of a JavaScript Date.
    text = dated("date.past")
    assert re.fullmatch(r"\w{3} \w{3} \d\d 202[56] \d\d:\d\d:\d\d GMT\+0000 \(UTC\)", text)
    moment = datetime.strptime(text[:24], "%a %b %d %Y %H:%M:%S").replace(tzinfo=UTC)
    assert 0 <= (NOON - moment).total_seconds() <= 365 * 86400 + 1


def test_local_time_has_its_offset(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert Template("{{date.now}}", Source(), MODULES)().endswith("+05:30")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("tag", "form"),
    [
        ('internet.email("anna")', r"anna[._][\w.]+@[\w.]+"),
        ("internet.email(Anna)", r"Anna[._][\w.]+@[\w.]+"),
        ('internet.exampleEmail("anna")', r"anna[._][\w.]+@example\.com"),
        ('internet.userName("anna")', r"anna[._][\w.]+"),
        ("internet.session", r"[0-9a-f]{32}"),
        ("finance.mask", r"\d{4}"),
        ("finance.mask(6)", r"\d{6}"),
        ("phone.phoneNumberFormat(0)", r"\d{3}-\d{3}-\d{4}"),
        ("phone.phoneNumberFormat(1)", r"\(\d{3}\) \d{3}-\d{4}"),
        ("phone.phoneNumberFormat(5)", r"\(\d{3}\) \d{3}-\d{4}"),
        ("address.state(true)", r"[A-Z]{2}"),
        ("system.fileName(csv)", r"\w+\.csv"),
        ("address.nearbyGPSCoordinate", r"-?\d+\.\d{4},-?\d+\.\d{4}"),
    ],
)
def test_an_argument_is_heeded(tag, form):
    for value in values(tag, number=100):
        assert re.fullmatch(form, value), value


def test_a_name_is_a_mans_or_a_womans_where_asked():
    men, women = set(values("name.firstName(0)", 3000)), set(values("name.firstName(1)", 3000))
    assert len(men & women) < len(men) / 4


def test_a_coordinate_is_near():
    for value in values("address.nearbyGPSCoordinate([48.1, 11.5])"):
        latitude, longitude = map(float, value.split(","))
        assert abs(latitude - 48.1) < 0.0901
        assert abs(longitude - 11.5) < 0.136


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("internet.email([])", "internet.email takes a first name"),
        ("phone.phoneNumberFormat(###)", "takes the number of a format"),
        ("address.nearbyGPSCoordinate(Munich)", "takes a latitude and a longitude"),
        ("address.nearbyGPSCoordinate([91, 0])", "takes a latitude and a longitude"),
        ("system.fileName(1)", "takes an extension"),
    ],
)
def test_an_argument_that_can_not_be_heeded_is_refused(tag, message):
    with pytest.raises(TemplateError, match=message):
        values(tag)
