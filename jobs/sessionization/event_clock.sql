-- Clicks and silences with the event time that the stream has reached: one row a row, in order of arrival.
-- clock_ms is that of the newest click so far; in a silence it goes on at the clock's pace, but only until every
-- session of the clicks so far is over (silence_limit_ms), as a replay may pause anywhere. It never goes back, and
-- being an aggregate it is in the checkpoints: what is late depends on the order of arrival alone.
CREATE TEMPORARY VIEW event_clock AS
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  arrival_ms,
  clock_ms,
  -- A silence has no event time of its own; it only carries the watermark.
  TO_TIMESTAMP_LTZ(COALESCE(event_timestamp, clock_ms), 3) AS event_time,
  -- 2 ms behind the oldest click that still counts: when that one comes, no window it belongs to may be closed.
  TO_TIMESTAMP_LTZ(clock_ms - :disorder_ms - 2, 3) AS watermark_time
FROM (
  SELECT
    user_id,
    event_timestamp,
    event_name,
    device_type,
    arrival_ms,
    MAX(reached_ms) OVER (ORDER BY rowtime ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS clock_ms
  FROM (
    SELECT
      user_id,
      event_timestamp,
      event_name,
      device_type,
      arrival_ms,
      rowtime,
      MAX(event_timestamp) OVER so_far + CASE
        WHEN silent_until_ms IS NULL THEN 0
        ELSE LEAST(GREATEST(silent_until_ms - MAX(arrival_ms) OVER so_far, 0), :silence_limit_ms)
      END AS reached_ms
    FROM clicks_and_silences
    WINDOW so_far AS (ORDER BY rowtime ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  )
)
WHERE clock_ms IS NOT NULL
