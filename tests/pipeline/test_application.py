"""An application's description: what it says, what follows from it, and every mistake with its file and line."""

from pathlib import Path

import pytest

from pipeline import sql
from pipeline.application import ApplicationError, read
from pipeline.catalog import all_applications, find
from pipeline.relations import Forest

DESCRIPTION = """\
title: A fleet's fuel
sources:
  telemetry:
    stream: fleet
    columns:
      vehicle: VARCHAR(8) NOT NULL $.vehicle.id
      litres: DOUBLE $.fuel.litres
  trips:
    columns: {vehicle: VARCHAR(8)}
relations:
  - by_minute
  - errors: late
  - forest: scores
    of: by_minute
    columns: litres
  - forest: others
    of: by_minute
    columns: [litres]
    group: second
  - alerts
destinations:
  - {of: alerts, type: kinesis, stream: alerts}
  - {name: archive, of: by_minute, type: firehose, delivery_stream: minutes}
"""
QUERIES = {
    "by_minute": "SELECT vehicle, litres, rowtime FROM telemetry",
    "late": "SELECT 'LATE' AS error_name FROM telemetry",
    "alerts": "SELECT * FROM scores JOIN others ON TRUE WHERE anomaly_score > 1",
}


def folder(path: Path, description: str = DESCRIPTION, **queries: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "application.yaml").write_text(description)
    for name, query in (QUERIES | queries).items():
        (path / f"{name}.sql").write_text(query)
    return path


def test_everything_is_derived_from_the_folder(tmp_path: Path) -> None:
    fleet = read(folder(tmp_path / "my-fleet"))
    assert fleet.name == "my_fleet"
    assert fleet.shown == ("telemetry", "trips", "by_minute", "scores", "others", "alerts")
    assert list(fleet.groups) == ["source", "trips", "random_cut_forest", "second", "sink", "archive"]
    assert fleet.stages() == (
        ("telemetry", "trips"),
        ("by_minute",),
        ("scores", "others"),
        ("alerts",),
    )
    assert ("others", "alerts") in set(fleet.edges())
    assert (fleet.error_stream, fleet.tap_stream) == ("my_fleet-errors", "my_fleet-taps")
    column = fleet.sources["telemetry"].columns[0]
    assert (column.name, column.type, column.path, column.required) == (
        "vehicle",
        "VARCHAR(8)",
        "$.vehicle.id",
        True,
    )


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ("title: A fleet's fuel\n", "", "application.yaml:1: title is required"),
        (
            "stream: fleet",
            "strem: fleet",
            "application.yaml:4: sources.telemetry.strem is not a known key",
        ),
        (
            "litres: DOUBLE $.fuel.litres",
            "litres: DUBLE",
            "application.yaml:5: sources.telemetry.columns: type DUBLE: required VARCHAR, BOOLEAN",
        ),
        (
            "litres: DOUBLE $.fuel.litres",
            "litres: 5",
            "application.yaml:5: sources.telemetry.columns: column litres must look like VARCHAR(8) NOT NULL $.path",
        ),
        (
            "type: kinesis",
            "type: ftp",
            "application.yaml:22: destinations.0.type: must be 'firehose', 'kinesis'",
        ),
        (
            "  - forest: scores\n",
            "  - fores: scores\n",
            "application.yaml:13: relations.2: a relation is the name of a view, or has exactly one of the keys",
        ),
        (
            "    of: by_minute\n    columns: litres",
            "    of: by_hour\n    columns: litres",
            "by_hour must be one of",
        ),
        ("  - alerts\n", "  - alerts\n  - alarms\n", "relations: alarms: required a file alarms.sql"),
        ("  - alerts\n", "", "destinations: sink: of must be one of telemetry"),
        ("    group: second\n", "    group: source\n", "property group source is used twice"),
        ("title: A", "title: {A", "not valid YAML"),
        ("forest: others", "forest: scores", "scores exists already"),
    ],
)
def test_each_mistake_is_named_with_its_place(tmp_path: Path, was: str, now: str, fault: str) -> None:
    assert was in DESCRIPTION
    with pytest.raises(ApplicationError) as refused:
        read(folder(tmp_path / "fleet", DESCRIPTION.replace(was, now)))
    assert fault in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_an_inner_relation_is_on_the_way_and_not_shown(tmp_path: Path) -> None:
    inner = DESCRIPTION.replace("  - by_minute\n", "  - {view: by_minute, inner: true}\n")
    inner = inner.replace("of: by_minute, type", "of: scores, type")
    fleet = read(folder(tmp_path / "fleet", inner))
    assert "by_minute" not in fleet.shown
    assert [end for begin, end in fleet.edges() if begin == "telemetry"] == ["late", "scores", "others"]
    assert fleet.stages()[-1] == ("alerts",)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("SELECT * FROM telemetri", "by_minute.sql: relation telemetri does not exist"),
        ("SELECT * FROM alerts", "by_minute.sql: relation alerts comes later"),
    ],
)
def test_a_view_reads_what_stands_before_it(tmp_path: Path, query: str, fault: str) -> None:
    with pytest.raises(ApplicationError, match=fault):
        read(folder(tmp_path / "fleet", by_minute=query))


def test_a_file_that_no_relation_names_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match=r"stray\.sql: required a relation stray"):
        read(folder(tmp_path / "fleet", stray="SELECT 1"))


def test_by_name_by_folder_and_neither(tmp_path: Path) -> None:
    assert find(str(folder(tmp_path / "fleet"))).name == "fleet"
    assert find("fleet", tmp_path).title == "A fleet's fuel"
    with pytest.raises(ApplicationError, match="application must be one of ctr, fleet, sessions, trades"):
        find("fleets", tmp_path)


def test_the_labs_are_applications_like_any_other() -> None:
    labs = {a.name: a for a in all_applications()}
    assert set(labs) == {"ctr", "sessions", "trades"}
    for lab in labs.values():
        used = {name for query in lab.queries.values() for name in sql.parameters_of(query)}
        own = {f"{group}.{key}" for group, keys in lab.properties.items() for key in keys}
        # Each property that a lab adds is used by one of its queries.
        assert own <= {name.removesuffix("_ms") for name in used}
    assert [forest.name for forest in labs["trades"].relations if isinstance(forest, Forest)] == [
        "temp_stream"
    ]


WATCHED = """\
title: Watched
sources: {numbers: {columns: {x: DOUBLE, place: VARCHAR(8)}}}
detector: on
relations:
  - {forest: scores, of: numbers, columns: x, partition_by: place, sub_sample_size: 32}
  - {forest: others, of: numbers, columns: x}
destinations:
  - {of: alerts, type: none}
"""


def written(path: Path, description: str) -> Path:
    path.mkdir()
    (path / "application.yaml").write_text(description)
    return path


def test_one_line_puts_a_detector_and_its_alerts_behind_each_forest(tmp_path: Path) -> None:
    found = read(written(tmp_path / "one", WATCHED))
    assert found.shown == (
        "numbers",
        "scores",
        "detections",
        "alerts",
        "others",
        "others_detections",
        "others_alerts",
    )
    first, second = found.detectors
    assert (first.of, first.columns, first.partition_by, first.sub_sample_size) == (
        "scores",
        ("x",),
        "place",
        32,
    )
    assert (second.of, second.partition_by, second.sub_sample_size) == ("others", None, None)
    assert [group for group in found.groups if "det" in group] == ["detector", "others_detections"]
    assert ("detections", "alerts") in set(found.edges())
    off = WATCHED.replace("detector: on", "detector: off").replace("of: alerts", "of: scores")
    assert read(written(tmp_path / "off", off)).detectors == ()


def test_options_of_the_one_line_and_names_that_are_taken(tmp_path: Path) -> None:
    given = DESCRIPTION.replace("relations:", "detector: {side: above, sub_sample_size: 64}\nrelations:")
    fleet = read(folder(tmp_path / "fleet", given))
    assert [(d.name, d.side, d.sub_sample_size) for d in fleet.detectors] == [
        ("scores_detections", ("above",), 64),
        ("others_detections", ("above",), 64),
    ]


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        (
            "detector: on",
            "detector: maybe",
            "application.yaml:3: detector: must be on, off, or a detector's options",
        ),
        (
            "detector: on",
            "detector: {sides: above}",
            "detector.sides: Extra inputs are not permitted, got 'above'",
        ),
        ("detector: on", "detector: {again: much}", "detector.again: "),
        ("forest: ", "detector: ", "there is none"),
    ],
)
def test_a_detector_that_can_not_be_is_named(tmp_path: Path, was: str, now: str, fault: str) -> None:
    with pytest.raises(ApplicationError) as refused:
        read(written(tmp_path / "bad", WATCHED.replace(was, now)))
    assert fault in str(refused.value)
