-- The lab's intermediate stream: one row per click, in order of each user's event time. Timestamps in UTC.
-- session_timestamp is NULL inside a session.
SELECT
  CAST(TO_TIMESTAMP_LTZ(event_timestamp, 3) AS TIMESTAMP(3)) AS event_timestamp,
  user_id,
  device_type,
  CAST(TO_TIMESTAMP_LTZ(session_ms, 3) AS TIMESTAMP(3)) AS session_timestamp
FROM session_events
