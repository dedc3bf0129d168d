"""How the time of a chain of operators is shared by its steps, between two measurements."""

import math

from console.steps import Steps
from infra.flink_rest import Step


def step(busy: float, back: float, idle: float, read: int = 0) -> Step:
    return Step("a", "Source: ticks_stream[1] -> Calc[2]", 2, read, read, busy, back, idle)


def test_shares_are_of_the_time_between_two_looks() -> None:
    looks = [[step(100, 0, 900)], [step(1100, 2000, 1900, read=7)], [step(math.nan, 2000, 5900)], []]
    moments = iter([10.0, 12.0, 12.5, 14.0, 16.0])
    steps = Steps("x", lambda job: looks.pop(0), lambda: next(moments))
    (first,) = steps.shown(["ticks", "calc"])
    assert (first["busy"], first["relations"]) == (None, ["ticks"])
    (second,) = steps.shown(["ticks"])
    # Two subtasks, two seconds: 4,000 ms in all.
    assert (second["busy"], second["back_pressured"], second["idle"], second["read"]) == (0.25, 0.5, 0.25, 7)
    assert steps.shown(["ticks"]) == [second]
    (third,) = steps.shown(["ticks"])
    assert (third["busy"], third["back_pressured"], third["idle"]) == (None, 0.0, 1.0)
    assert steps.shown(["ticks"]) == []
