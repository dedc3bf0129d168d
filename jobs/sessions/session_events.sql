-- Clicks in order of each user's event time: one row a click, when no earlier one can come any more.
-- session_ms: the click's own time where it starts a session, which it does as the user's first or more than :sessions.gap_ms
-- after the one before it; else NULL. last_session_ms: that of the user's last start, within the look-back.
-- Where only starts go on, a click that is none has no last_session_ms.
-- In state are a user's last click and, where it is asked for, last start, until the user was away for
-- table.exec.state.ttl.
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  session_ms,
  CASE WHEN event_timestamp - last_start_ms <= :sessions.look_back_ms THEN last_start_ms END AS last_session_ms,
  rowtime
FROM (
  SELECT
    *,
    CASE
      -- Where only starts go on it is a start's own, and need not be kept.
      WHEN :sessions.rows = 'starts' THEN session_ms
      -- The last non-NULL one is the greatest.
      ELSE MAX(session_ms) OVER (PARTITION BY user_id ORDER BY turn)
    END AS last_start_ms
  FROM (
    SELECT
      *,
      CASE WHEN lag_ms IS NULL OR event_timestamp - lag_ms > :sessions.gap_ms THEN event_timestamp END AS session_ms
    FROM (
      SELECT *, LAG(event_timestamp) OVER (PARTITION BY user_id ORDER BY turn) AS lag_ms
      FROM (SELECT *, PROCTIME() AS turn FROM ordered_clicks)
    )
  )
)
