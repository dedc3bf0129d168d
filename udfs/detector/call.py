# mypy: disable-error-code="no-any-return"
"""All of a detector's work on rows as one compiled call, so that a row or two cost little more than their scores."""

import math

from udfs.compiled import compiled, whole
from udfs.detector.decisions import (
    ALERT,
    DECAY,
    IN_RUN,
    LAST_HOT,
    LEARNING_ROWS,
    LIMIT,
    MISSING,
    QUIET_TIME,
    ROWS,
    RUN_GAP,
    SAMPLES,
    SMOOTHED,
    WITHHELD,
    decide,
)
from udfs.detector.features import observe
from udfs.forest.call import learn_points
from udfs.forest.layout import Array

# What a detection holds: rows of `reals`,
SCORE, SMOOTHED_SCORE, THRESHOLD, GRADE, CONFIDENCE, REALS = range(6)
# rows of `wholes`,
COLUMN, DIRECTION, REASON, WHOLES = range(4)
# and rows of `flags`.
IS_ALERT, IS_IN_RUN, FLAGS = range(3)
#: Stands for the width of a band without width: any miss stands out.
_HARDLY = 1e-300


@compiled
def first_bad(rows: Array) -> int:
    """The first row with an infinite number; -1 if there is none."""
    for i in range(rows.shape[0]):
        for d in range(rows.shape[1]):
            if math.isinf(rows[i, d]):
                return whole(i)
    return whole(-1)


@compiled
def direct(expected: Array, far: Array, i: int, wholes: Array) -> None:
    """Fill in the column that stands out most in row i, and its direction: 1 above its band, -1 below, 0 inside."""
    most, column, direction = -1.0, 0, 0
    for d in range(far.shape[1]):
        miss = far[i, d]
        width = expected[i, 2, d] - expected[i, 0, d] if miss > 0.0 else expected[i, 0, d] - expected[i, 1, d]
        if not width > 0.0:
            width = 1.0 if miss == 0.0 else _HARDLY
        outside = abs(miss) / width
        if outside > most:
            most, column = outside, d
            direction = 0 if not outside > 1.0 else 1 if miss > 0.0 else -1
    wholes[COLUMN, i] = column
    wholes[DIRECTION, i] = direction


@compiled
def judge(
    addresses: Array,
    young: Array,
    points: Array,
    times: Array,
    missing: int,
    window: Array,
    ordered: Array,
    columns: Array,
    scales: Array,
    state: Array,
    rules: Array,
    asked: Array,
    threshold: float,
    factors: Array,
    room: Array,
    features: Array,
    taken: Array,
    expected: Array,
    far: Array,
    reals: Array,
    wholes: Array,
    flags: Array,
) -> int:
    """Score and decide, then learn, each of n rows; returns how many of them went to the forest.

    `addresses`, `young`: of the forest, and of the smaller forest used at first (length 0: none). `factors`: the scale
    of the forest's sums over the trees, the scale of the smaller forest's, and the smaller forest's rate.

    `room` (n + 4,) and `features` (n, 3 columns) are scratch space. Filled in: `taken` (n,), whose first entries are
    the rows that went to the forest; their scores, at the start of `room`; `expected` (n, 3, columns) and `far`
    (n, columns) as in `observe`; and the results `reals`, `wholes` and `flags`, each (…, n).
    """
    before = state[ROWS]
    in_run = before - state[LAST_HOT] <= RUN_GAP and state[WITHHELD] == 0.0
    smoothed, limit = state[SMOOTHED], state[LIMIT]
    n, width = points.shape[0], features.shape[1]
    count = observe(
        points,
        missing,
        window,
        ordered,
        columns,
        scales,
        whole(before),
        asked[DECAY],
        room[n:],
        features,
        taken,
        expected,
        far,
    )
    scores = room[:count]
    for k in range(count):
        scores[k] = 0.0
    flat = features.reshape(features.size)[: count * width]
    learn_points(addresses, flat, width, 1.0 / asked[DECAY], factors[0], True, scores)
    if young.shape[0] > 0:
        early = min(whole(count), whole(asked[SAMPLES] - before))
        learn_points(young, flat[: early * width], width, factors[2], factors[1], True, scores[:early])
    decide(
        state,
        taken[:count],
        scores,
        times,
        expected,
        far,
        rules,
        asked,
        threshold,
        reals[SMOOTHED_SCORE],
        reals[THRESHOLD],
        wholes[REASON],
        flags[IS_IN_RUN],
    )
    k = 0
    for i in range(n):
        direct(expected, far, i, wholes)
        score, grade, is_alert = 0.0, 0.0, False
        if k < count and taken[k] == i:
            score, smoothed, limit = scores[k], reals[SMOOTHED_SCORE, i], reals[THRESHOLD, i]
            reason, in_run = wholes[REASON, i], flags[IS_IN_RUN, i]
            is_alert = reason == ALERT
            if smoothed > limit and reason in (ALERT, IN_RUN, QUIET_TIME):
                grade = 1.0 - (limit / smoothed) * (limit / smoothed)
            k += 1
        else:
            # A skipped row has the same values as the row before it.
            wholes[REASON, i] = MISSING
        reals[SCORE, i], reals[SMOOTHED_SCORE, i], reals[THRESHOLD, i] = score, smoothed, limit
        reals[GRADE, i] = grade
        learned = max(before + k - asked[LEARNING_ROWS], 0.0)
        reals[CONFIDENCE, i] = 1.0 - math.exp(-learned / asked[DECAY])
        flags[IS_ALERT, i], flags[IS_IN_RUN, i] = is_alert, in_run
    return whole(count)
