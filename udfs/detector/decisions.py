# mypy: disable-error-code="no-any-return"
"""From scores to alerts. One base threshold fits all streams, as a forest's score is relative to its own sample.

1. The smoothed score e moves a fifth of the way towards the score in each row: weak evidence adds up, and a single row
   needs a high score.
2. A row with e above the threshold is hot. The threshold is about twice an ordinary row's score. A surcharge for recent
   alerts raises it for anomalies that keep recurring. A surcharge for unrest raises it while e is above ordinary on
   average, as in streams with heavy tails or few distinct values.
3. A hot row begins a run, and is an alert, if none of the last 96 rows was hot. Within a run there is another alert if
   e is 1.5 times (`again`) its recent level, so that a long run does not hide a new event.
4. Rules may withhold an alert. A miss on the side that the rule excludes begins a withheld run, so that the rest of the
   same event does not raise an alert. A miss near the expected value begins no run, as it may still grow.
"""

import math

from udfs.compiled import compiled
from udfs.detector.features import WINDOW
from udfs.forest.layout import Array

# A detector's state, in this order: rows seen, smoothed score, discounted number of alerts, last hot row, last alert,
# recent level of e, unrest, time of the last row and of the last alert, threshold, whether the run's alerts are
# withheld, row in which the run began or last got worse.
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

# The array `asked`: the detector's settings; the forest's time decay in rows; rows without a score; rows with the early
# threshold; the factor that brings scores to the range of one column with 256 samples.
AGAIN, QUIET_ROWS, LONG_QUIET, DECAY, LEARNING_ROWS, SAMPLES, FACTOR = range(7)

#: Rows over which the score is smoothed.
MEMORY = 5.0
#: The score of an ordinary row.
ORDINARY = 0.7
#: The default threshold, about twice an ordinary row's score.
THRESHOLD = 1.5
SURCHARGE = 0.05
#: Added to the threshold for the first rows, as much is new then.
EARLY = 0.3
#: The level of e above which unrest counts; the surcharge per unrest; the largest surcharge.
RESTLESS, UNREST_GAIN, MOST_UNREST = 0.85, 3.0, 0.4
#: Unrest is averaged over this many times the forest's time decay.
UNREST_MEMORY = 2.0
#: Rows without a hot one that end a run.
RUN_GAP = 2 * WINDOW
#: Rows in which the recent level follows the peak of an event.
SETTLING = 10
#: When scores begin, unrest counts as if averaged over this many calm rows.
_CALM_ROWS = 100.0

#: Reasons, in the order of REASONS in :mod:`udfs.detector.detections`.
(NORMAL, ALERT, IN_RUN, LEARNING, MISSING, OTHER_SIDE, NEAR_EXPECTED, QUIET_TIME) = range(8)

# A column's rule: side (1 only above, -1 only below, 0 both); misses to ignore, absolute and relative to the expected
# value.
SIDE, WITHIN, WITHIN_PART = range(3)


@compiled
def standing_out(expected: Array, far: Array, d: int) -> float:
    """A column's largest recent miss, in widths of its band on that side."""
    width = expected[2, d] - expected[0, d] if far[d] > 0.0 else expected[0, d] - expected[1, d]
    return abs(far[d]) / width if width > 0.0 else math.inf if far[d] != 0.0 else 0.0


@compiled
def withheld_by_rule(rules: Array, expected: Array, far: Array) -> int:
    """NORMAL if the rule of any column that stands out lets an alert pass; otherwise the reason why not."""
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
    """Fill in smoothed score, threshold, reason and whether a run is under way; update the state.

    `scores` (k,) are the scores of the rows `taken` (k,); all other arrays have an entry per row. `times`: seconds,
    (n,) or of length 0. `asked`: see above.
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
            state[UNREST] += (above - state[UNREST]) / min(row - learning + _CALM_ROWS, UNREST_MEMORY * decay)
        reasons[here] = reason
        in_run[here] = row - state[LAST_HOT] <= RUN_GAP and state[WITHHELD] == 0.0
