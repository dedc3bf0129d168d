-- Sessions that are over: one row per session, when event time has passed its last click by the gap.
-- session_start and session_end are the times of its first and last click, in UTC. pages are the names of its first 1,000
-- events in order (a DynamoDB item holds at most 400 kB), '' for an event without a name.
SELECT
  user_id,
  CASE
    WHEN :sessions.session_id = 'date_and_time'
      THEN user_id || '_' || REPLACE(device_type, '_', '-') || '_'
        || DATE_FORMAT(TO_TIMESTAMP_LTZ(start_ms, 3), 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')
    ELSE user_id || '_' || device_type || '_'
      || SUBSTRING(CONVERT_TZ(FROM_UNIXTIME(start_ms / 1000), 'UTC', :sessions.time_zone), 12)
  END AS session_id,
  SUBSTRING(CONVERT_TZ(FROM_UNIXTIME(start_ms / 1000), 'UTC', :sessions.time_zone), 12) AS session_time,
  CAST(TO_TIMESTAMP_LTZ(start_ms, 3) AS TIMESTAMP(3)) AS session_start,
  CAST(TO_TIMESTAMP_LTZ(end_ms, 3) AS TIMESTAMP(3)) AS session_end,
  number_of_events,
  end_ms - start_ms AS duration_ms,
  ARRAY_SLICE(pages, 1, 1000) AS pages
FROM (
  SELECT
    user_id,
    -- If a session has several devices, its id has that of its first click.
    COALESCE(MAX(CASE WHEN session_ms IS NOT NULL THEN device_type END), MAX(device_type)) AS device_type,
    MIN(event_timestamp) AS start_ms,
    MAX(event_timestamp) AS end_ms,
    COUNT(*) AS number_of_events,
    ARRAY_AGG(COALESCE(event_name, '')) AS pages
  -- Clicks exactly a gap apart share a session, as in session_events: session windows that touch are merged.
  FROM TABLE(SESSION(TABLE session_events PARTITION BY user_id, DESCRIPTOR(rowtime), :sessions.gap))
  GROUP BY user_id, window_start, window_end
)
-- Not user_id alone: with a partition key that is constant, the planner drops the session window, and would update rows
-- instead of emitting each once.
WHERE user_id || '' = :sessions.user OR :sessions.user IS NULL
