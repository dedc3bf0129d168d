-- Clicks and heartbeats with the event time that the stream has reached: one row per input row, in order of arrival.
-- clock_ms is the event time of the newest click so far. On an idle stream, heartbeats advance it by the time that has
-- passed, but only until every session of the clicks so far is over (the gap and the disorder), as a replay may pause
-- anywhere. It never goes back, and as an aggregate it is in the checkpoints: which click is late depends on the order of
-- arrival only.
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  arrival,
  clock_ms,
  -- A heartbeat has no event time of its own; it only carries the watermark.
  TO_TIMESTAMP_LTZ(COALESCE(event_timestamp, clock_ms), 3) AS event_time,
  -- 2 ms behind the oldest click that still counts, so that none of its windows is closed when it comes.
  TO_TIMESTAMP_LTZ(clock_ms - :event_time.disorder_ms - 2, 3) AS watermark_time
FROM (
  SELECT
    *,
    -- ORDER BY turn (processing time) keeps the order, which is right already.
    MAX(reached_ms) OVER (ORDER BY turn) AS clock_ms
  FROM (
    SELECT
      *,
      PROCTIME() AS turn,
      MAX(event_timestamp) OVER so_far + CASE
        WHEN user_id IS NULL
          THEN LEAST(arrival_ms - MAX(click_arrival_ms) OVER so_far, :sessions.gap_ms + :event_time.disorder_ms + 1)
        ELSE 0
      END AS reached_ms
    FROM (
      SELECT *, CASE WHEN user_id IS NOT NULL THEN arrival_ms END AS click_arrival_ms
      FROM (
        SELECT *, EXTRACT(EPOCH FROM arrival) * 1000 + EXTRACT(MILLISECOND FROM arrival) AS arrival_ms
        FROM arrivals
      )
    )
    WINDOW so_far AS (ORDER BY rowtime ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
)
WHERE clock_ms IS NOT NULL
