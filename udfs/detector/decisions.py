# mypy: disable-error-code="no-any-return"
"""From scores to alerts: one number for all streams, because a forest's score is relative to its own sample.

1. The smoothed score e moves towards the score by a fifth a row: small evidence adds up, a lone row needs much.
2. A row with e above the threshold is hot. The threshold is twice what an ordinary row scores, plus a surcharge for
   recent alerts, so that what keeps coming back earns a higher bar, plus one for unrest: how far e lies above ordinary
   on average, as it does where a stream has heavy tails or few distinct values.
3. A hot row begins a run, and is an alert, if none of the last 96 rows was hot; or if e is half as high again as it was
   of late, so that a run that stays hot does not hide what comes next.
4. Rules may withhold an alert. A miss on the side that is not asked for begins a withheld run: what follows of the same
   event is not taken for another. Near the expected value no run begins: it may still grow.
"""

import math

from udfs.compiled import compiled
from udfs.detector.features import WINDOW
from udfs.forest.layout import Array

# Numbers of a detector: rows seen, smoothed score, discounted number of alerts, last hot row, last alert, what e was of
# late, unrest, time of the last row and of the last alert, threshold,
# whether the run's alerts are withheld, row in which it last began or got worse.
ROWS = 0
SMOOTHED = 1
ALERTS = 2
LAST_HOT = 3
LAST_ALERT = 4
LATELY = 5
UNREST = 6
LAST_TIME = 7
LAST_ALERT_TIME = 8
LIMIT = 9
WITHHELD = 10
BEGUN = 11
NUMBERS = 12

# What is asked of a detector: its own settings; the memory of its forest in rows; rows without a score; rows that
# were scored by few samples; how much closer to what is ordinary scores lie than those of one column with 256 samples.
AGAIN, QUIET_ROWS, LONG_QUIET, DECAY, LEARNING_ROWS, SAMPLES, FACTOR = range(7)

#: Rows that a score is averaged over.
MEMORY = 5.0
#: What an ordinary row scores.
ORDINARY = 0.7
#: Twice what an ordinary row scores; a detector's own threshold may be another.
THRESHOLD = 1.5
SURCHARGE = 0.05
#: While few rows are known much is new: the threshold is so much higher.
EARLY = 0.3
#: Unrest counts from here, and makes the threshold at most so much higher.
RESTLESS, UNREST_GAIN, MOST_UNREST = 0.85, 3.0, 0.4
#: Unrest is averaged over so many times the rows that matter to the forest.
UNREST_MEMORY = 2.0
#: Rows without a miss that end a run.
RUN_GAP = 2 * WINDOW
#: Rows in which an event shows its height.
SETTLING = 10
#: Rows that unrest counts as averaged over when scores begin.
_TAKEN_FOR_QUIET = 100.0

#: Why a row is what it is, in this order; see REASONS in anomaly_detector.
(NORMAL, ALERT, IN_RUN, LEARNING, MISSING, OTHER_SIDE, NEAR_EXPECTED, QUIET_TIME) = range(8)

# A column's rule: 1 only above, -1 only below, 0 both; near: by how much, and by what part of the expected value.
SIDE, WITHIN, WITHIN_PART = range(3)


@compiled
def standing_out(expected: Array, far: Array, d: int) -> float:
    """A column's largest miss of late, in widths of its band on that side."""
    width = expected[2, d] - expected[0, d] if far[d] > 0.0 else expected[0, d] - expected[1, d]
    return abs(far[d]) / width if width > 0.0 else math.inf if far[d] != 0.0 else 0.0


@compiled
def withheld_by_rule(rules: Array, expected: Array, far: Array) -> int:
    """NORMAL if a rule lets an alert pass of any column that stands out; else why not."""
    most = 0.0
    for d in range(rules.shape[0]):
        most = max(most, standing_out(expected, far, d))
    reason = OTHER_SIDE
    for d in range(rules.shape[0]):
        side = rules[d, SIDE]
        within = max(rules[d, WITHIN], rules[d, WITHIN_PART] * abs(expected[0, d]))
        if standing_out(expected, far, d) < 0.5 * most:
            continue
        if side == 0.0 or side * far[d] > 0.0:
            if within == 0.0 or abs(far[d]) > within:
                return NORMAL
            reason = NEAR_EXPECTED
    return reason


@compiled
def decide(
    state: Array,
    taken: Array,
    scores: Array,
    times: Array,
    expected: Array,
    far: Array,
    rules: Array,
    asked: Array,
    threshold: float,
    smoothed: Array,
    limits: Array,
    reasons: Array,
    in_run: Array,
) -> None:
    """Fill in smoothed score, threshold, reason, and whether a run is under way; go on with the state.

    `scores` (k,) are those of the rows `taken` (k,); all else is row by row. `times`
    in seconds (n,) or of length 0. `asked`: see above.
    """
    again, quiet_rows, quiet_time = asked[AGAIN], asked[QUIET_ROWS], asked[LONG_QUIET]
    decay, learning, young, factor = asked[DECAY], asked[LEARNING_ROWS], asked[SAMPLES], asked[FACTOR]
    keep = math.exp(-1.0 / decay)
    for i in range(scores.shape[0]):
        state[ROWS] += 1.0
        row = state[ROWS]
        score, here = scores[i], taken[i]
        if score > ORDINARY:
            score = ORDINARY + (score - ORDINARY) * factor
        state[SMOOTHED] += (score - state[SMOOTHED]) / MEMORY
        e = state[SMOOTHED]
        state[ALERTS] *= keep
        limit = threshold + SURCHARGE * state[ALERTS] + min(UNREST_GAIN * state[UNREST], MOST_UNREST)
        if row <= young:
            limit += EARLY
        state[LIMIT] = limit
        smoothed[here], limits[here] = e, limit
        reason = NORMAL
        if row <= learning:
            reason = LEARNING
        elif e > limit:
            begins = row - state[LAST_HOT] > RUN_GAP
            worse = row - state[BEGUN] > SETTLING and e > again * state[LATELY]
            reason = IN_RUN
            if begins or worse:
                reason = withheld_by_rule(rules, expected[here], far[here])
                if reason == NORMAL and row - state[LAST_ALERT] <= quiet_rows:
                    reason = QUIET_TIME
                if (
                    reason == NORMAL
                    and quiet_time > 0.0
                    and times[here] - state[LAST_ALERT_TIME] <= quiet_time
                ):
                    reason = QUIET_TIME
                if reason == NORMAL:
                    reason = ALERT
                    state[ALERTS] += 1.0
                    state[LAST_ALERT] = row
                    state[WITHHELD] = 0.0
                    if times.shape[0] > 0:
                        state[LAST_ALERT_TIME] = times[here]
                if reason == OTHER_SIDE and begins:
                    state[WITHHELD] = 1.0
                if reason in (ALERT, OTHER_SIDE):
                    state[BEGUN] = row
            if reason in (IN_RUN, ALERT, OTHER_SIDE):
                state[LAST_HOT] = row
            if reason == IN_RUN and state[WITHHELD] > 0.0:
                reason = OTHER_SIDE
        if e > state[LATELY] and row - state[BEGUN] <= SETTLING:
            state[LATELY] = e
        else:
            state[LATELY] += (e - state[LATELY]) / WINDOW
        if row > learning:
            above = max(min(e, THRESHOLD) - RESTLESS, 0.0)
            state[UNREST] += (above - state[UNREST]) / min(
                row - learning + _TAKEN_FOR_QUIET, UNREST_MEMORY * decay
            )
        reasons[here] = reason
        in_run[here] = row - state[LAST_HOT] <= RUN_GAP and state[WITHHELD] == 0.0
