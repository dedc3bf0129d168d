-- Clicks in order of each user's event time: one row a click, when no earlier one can come any more.
-- session_ms: the click's own time where it starts a session, which it does as the user's first or more than the gap
-- after the one before it; else NULL. last_session_ms: that of the user's last start, within the look-back. Where only
-- starts go on, a click that is none has no last_session_ms.
-- In state are a user's clicks of the last gap and, where each click goes on, of the last look-back, of event time: what
-- is kept depends on the stream alone, however long the job was stopped.
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  session_ms,
  CASE
    -- Where only starts go on it is a start's own, and need not be kept.
    WHEN :sessions.rows = 'starts' THEN session_ms
    -- The last non-NULL one is the greatest.
    ELSE MAX(session_ms) OVER (
      PARTITION BY user_id ORDER BY rowtime RANGE BETWEEN :sessions.look_back PRECEDING AND CURRENT ROW
    )
  END AS last_session_ms,
  rowtime
FROM (
  SELECT
    *,
    CASE WHEN earliest_ms = event_timestamp AND NOT again THEN event_timestamp END AS session_ms
  FROM (
    SELECT
      *,
      MIN(event_timestamp) OVER (
        PARTITION BY user_id ORDER BY rowtime RANGE BETWEEN :sessions.gap PRECEDING AND CURRENT ROW
      ) AS earliest_ms
    FROM (
      SELECT
        *,
        -- RANGE takes clicks of one millisecond together; a user's are neighbours here, and the first is the start.
        COALESCE(
          LAG(user_id) OVER in_order = user_id AND LAG(event_timestamp) OVER in_order = event_timestamp, FALSE
        ) AS again
      FROM (SELECT *, PROCTIME() AS turn FROM ordered_clicks)
      WINDOW in_order AS (ORDER BY turn)
    )
  )
)
