-- Clicks in order of each user's event time: one row a click, when no earlier one can come any more.
-- session_ms: the click's own time where it starts a session, which it does as the user's first or more than :gap_ms
-- after the one before it; else NULL. last_session_ms: that of the user's last start, within the look-back.
-- Only the last click and the last start of a user are in state, until the user was away for table.exec.state.ttl.
CREATE TEMPORARY VIEW session_events AS
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  session_ms,
  CASE WHEN event_timestamp - last_start_ms <= :look_back_ms THEN last_start_ms END AS last_session_ms,
  rowtime
FROM (
  SELECT
    *,
    -- The last non-NULL one is the greatest.
    MAX(session_ms) OVER (
      PARTITION BY user_id ORDER BY rowtime ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS last_start_ms
  FROM (
    SELECT
      *,
      CASE WHEN clicks = 1 OR event_timestamp - lag_ms > :gap_ms THEN event_timestamp END AS session_ms
    FROM (
      SELECT
        *,
        -- LAG(event_timestamp), spelled as a window of two rows: Flink's own LAG takes clicks of the same millisecond
        -- for each other's predecessor, so that the first of a session, sent twice, would start none.
        SUM(event_timestamp) OVER two - event_timestamp AS lag_ms,
        COUNT(*) OVER two AS clicks
      FROM on_time_clicks
      WINDOW two AS (PARTITION BY user_id ORDER BY rowtime ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
  )
)
