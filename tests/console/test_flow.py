"""The streams and destinations of an application by its settings, and the picture of its flow."""

from pathlib import Path

import pytest

from console.flow import flow
from console.resources import resources
from pipeline.application import Application, parse
from pipeline.catalog import all_applications, read
from pipeline.settings import override

FLEET = Path(__file__).parent / "fleet"


def test_streams_and_destinations_are_those_of_the_settings() -> None:
    fleet = read(FLEET)
    found = resources(
        fleet, override({}, ["alerts_out.type=s3", "alerts_out.path=s3://b/x/", "tap.stream=t"])
    )
    assert found.stream_of(None) == found.stream_of("telemetry") == "fleet-telemetry"
    assert found.stream_of("other") is None
    assert [(t.name, t.type, t.resource, t.key) for t in found.targets] == [
        ("averages_out", "kinesis", "fleet-averages", "vehicle"),
        ("alerts_out", "s3", "s3://b/x/", None),
    ]
    assert (found.taps, found.errors) == ("t", "fleet-errors")
    assert found.parameters["alerts.threshold"] == 2.5


def test_settings_that_cannot_be_leave_what_is_described() -> None:
    found = resources(read(FLEET), override({}, ["averages.size=0"]))
    assert "averages.size must be at least 0.1" in found.problem
    assert (found.taps, found.stream_of(None)) == ("fleet-taps", "fleet-telemetry")
    assert [t.name for t in found.targets] == ["averages_out"]


def test_the_flow_leads_from_sources_to_destinations() -> None:
    fleet = read(FLEET)
    picture = flow(fleet, resources(fleet))
    assert [[node.id for node in stage] for stage in picture.stages] == [
        ["from telemetry"], ["telemetry"], ["averages"], ["scored"], ["alerts"], ["to averages_out"],
    ]  # fmt: skip
    assert ("averages", "to averages_out") in picture.edges
    notes = {node.id: (node.label, node.relation, node.note) for stage in picture.stages for node in stage}
    assert notes["scored"] == ("scored", "scored", "random cut forest")
    assert notes["to averages_out"] == ("fleet-averages", None, "Kinesis stream")


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_every_relation_is_reached_by_an_arrow(application: Application) -> None:
    picture = flow(application, resources(application))
    ids = {node.id for stage in picture.stages for node in stage}
    assert {end for _, end in picture.edges} == ids - {node.id for node in picture.stages[0]}
    assert {begin for begin, _ in picture.edges} <= ids


def test_arrows_start_at_reference_tables_and_sources_with_heartbeats() -> None:
    tree = {
        "title": "T",
        "sources": {"s": {"stream": "in", "columns": {"vehicle": "VARCHAR(9)"}}},
        "references": {"depots": {"path": "s3://b/depots.csv", "columns": {"vehicle": "VARCHAR(9)"}}},
        "relations": [
            "seen",
            {"lookup": "at", "of": "seen", "reference": "depots", "on": {"vehicle": "vehicle"}},
        ],
    }
    queries = {"seen": "SELECT vehicle, rowtime FROM s UNION ALL SELECT NULL, rowtime FROM s_heartbeats"}
    application = parse(tree, name="a", folder=Path("a"), queries=queries)
    picture = flow(application, resources(application))
    assert set(picture.edges) == {("from s", "s"), ("s", "seen"), ("seen", "at"), ("depots", "at")}
