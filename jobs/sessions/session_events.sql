-- Clicks in order of each user's event time: one row per click, when no earlier one can come any more.
-- session_ms is the click's own time if it starts a session (the user's first click, or more than the gap after the one
-- before), else NULL. last_session_ms is the session_ms of the user's last start, within the look-back; with
-- sessions.rows = 'starts' only a start has one.
-- State holds each user's clicks of the last gap, and with sessions.rows = 'events' of the last look-back, in event time:
-- it depends on the stream only, however long the job was stopped.
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  session_ms,
  CASE
    -- With starts only, it is the start's own time, and needs no state.
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
        -- RANGE treats a user's clicks of one millisecond as one; they are neighbours here, and only the first is a start.
        COALESCE(
          LAG(user_id) OVER in_order = user_id AND LAG(event_timestamp) OVER in_order = event_timestamp, FALSE
        ) AS again
      FROM (SELECT *, PROCTIME() AS turn FROM ordered_clicks)
      WINDOW in_order AS (ORDER BY turn)
    )
  )
)
