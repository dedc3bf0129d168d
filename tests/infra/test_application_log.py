"""What is reported of an application's log: the newest failure, by its Python traceback or Java's cause."""

import pytest

from infra import application_log
from tests.infra.log_events import TRACEBACK, event

EXIT = "java.lang.RuntimeException: Python process exits with code: 1\n\tat org.apache.flink.client.python.X"


@pytest.mark.parametrize(
    "said",
    [
        ["python3: can't open file '/opt/mian.py': [Errno 2] No such file or directory"],
        ["/usr/bin/python3: No module named jobs.mian"],
        ['  File "/opt/main.py", line 3', "    main(", "        ^", "SyntaxError: '(' was never closed"],
    ],
)
def test_a_start_that_fails_before_python_runs_keeps_its_reason(said: list[str]) -> None:
    events = [event("--------------------------- Python Process Started --------------------------")]
    events += [event(line) for line in said]
    events += [event("--------------------------- Python Process Exited ---------------------------")]
    events += [event("Run python process failed", thrown=EXIT)]
    assert application_log.reason(events) == said


def test_what_java_threw_into_python_is_reported() -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "/opt/main.py", line 29, in <module>',
        "py4j.protocol.Py4JJavaError: An error occurred while calling o9.execute.",
        ": org.apache.flink.table.api.TableException: Failed to execute sql",
        "\tat org.apache.flink.table.api.internal.TableEnvironmentImpl.executeInternal",
        "Caused by: java.lang.IllegalStateException: No operators defined in streaming topology.",
    ]
    found = application_log.reason([event(line) for line in lines] + [event("failed", thrown=EXIT)])
    assert (
        found[-1] == "Caused by: java.lang.IllegalStateException: No operators defined in streaming topology."
    )


def test_a_traceback_that_comes_line_by_line_among_other_events() -> None:
    events = [event("--------------------------- Python Process Started --------------------------")]
    for line in TRACEBACK.splitlines():
        events += [event(line), event("Checkpoint 7 completed", "org.apache.flink.runtime.checkpoint")]
    events += [event("--------------------------- Python Process Exited ---------------------------")]
    events += [event("Run python process failed", thrown=EXIT), "not JSON", "[1]"]
    assert application_log.reason(events) == TRACEBACK.splitlines()


@pytest.mark.parametrize("as_list", [False, True])
def test_a_traceback_of_a_worker_inside_java_s(as_list: bool) -> None:
    thrown = (
        "java.util.concurrent.ExecutionException: x\n\tat a.b(C.java:1)\n"
        "Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 1: "
        "Traceback (most recent call last):\n"
        '  File "bundle_processor.py", line 1, in process\n    self.x()\n'
        "KeyError: 'price'\n\n\tat org.apache.beam.X(Y.java:2)\n\t... 6 more"
    )
    found = application_log.reason(
        [event("Job failed.", "org.apache.flink.Job", thrown.splitlines() if as_list else thrown)]
    )
    assert found[0] == "Traceback (most recent call last):"
    assert found[-1] == "KeyError: 'price'"
    assert len(found) == 4


def test_the_newest_of_several_failures_is_reported() -> None:
    first = [event(line) for line in TRACEBACK.splitlines()]
    started = event("--- Python Process Started ---")
    second = [
        event(line) for line in ("Traceback (most recent call last):", "  File 'x'", "ImportError: numba")
    ]
    assert application_log.reason([started, *first, started, *second])[-1] == "ImportError: numba"


def test_of_a_long_traceback_the_ends_are_reported() -> None:
    frames = [f'  File "deep.py", line {i}' for i in range(500)]
    lines = ["Traceback (most recent call last):", *frames, "RecursionError: too deep"]
    found = application_log.reason(map(event, lines))
    assert len(found) == 20
    assert found[:2] == lines[:2]
    assert found[-1] == "RecursionError: too deep"


def test_without_python_java_s_cause_is_reported_and_without_a_failure_nothing() -> None:
    thrown = "A: x\n\tat a\nCaused by: SdkException: Access denied to stream\n\tat b"
    assert application_log.reason([event("failed", "org.apache.X", thrown)]) == [
        "SdkException: Access denied to stream"
    ]
    assert application_log.reason([event("all is well"), "", "{}"]) == []
