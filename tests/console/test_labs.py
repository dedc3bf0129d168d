"""What the page draws of a job is what the job has."""

from pathlib import Path

import pytest

from console.labs import LABS
from infra import stacks
from jobs.catalog import JOBS, job
from jobs.settings import read_groups, settings

ROOT = Path(stacks.__file__).parents[1]


def test_every_job_has_its_lab() -> None:
    assert {j.short for j in JOBS} == set(LABS)


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_the_streams_are_the_jobs_and_the_stacks(lab) -> None:
    chosen = job(lab.name)
    groups = read_groups(ROOT / "flink-conf" / chosen.name / "application_properties.json")
    found = settings(chosen.settings_model, groups)
    assert (found.source.stream, found.errors.stream) == (lab.input, lab.errors)
    template = stacks.STACKS[lab.name].template.read_text()
    assert all(f"Name: {stream}\n" in template for stream in (lab.input, lab.errors, lab.taps))
    assert found.tap.stream is None, "off by default"


@pytest.mark.parametrize("lab", LABS.values(), ids=LABS)
def test_every_relation_shown_is_tapped(lab) -> None:
    source = (ROOT / "jobs" / job(lab.name).name / "job.py").read_text()
    taps = source[source.index("taps = (") : source.index("pipeline.tap(")]
    assert [name for name in lab.relations if f'"{name}"' not in taps] == []
