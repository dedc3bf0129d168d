-- The lab's destination stream: one row a session start, or a click, as soon as its order is sure.
-- session_time and latest_time are HH:mm:ss in the time zone, session_time NULL inside a session. session_id carries
-- the start's HH:mm:ss as well, or its UTC date and time to the millisecond, which no other session of any user has:
-- a device's underscores give way, so that the last two of the id divide it.
SELECT
  user_id,
  CASE
    WHEN :sessions.session_id = 'date_and_time'
      THEN user_id || '_' || REPLACE(device_type, '_', '-') || '_'
        || DATE_FORMAT(TO_TIMESTAMP_LTZ(last_session_ms, 3), 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''')
    ELSE user_id || '_' || device_type || '_'
      || SUBSTRING(CONVERT_TZ(FROM_UNIXTIME(last_session_ms / 1000), 'UTC', :sessions.time_zone), 12)
  END AS session_id,
  SUBSTRING(CONVERT_TZ(FROM_UNIXTIME(session_ms / 1000), 'UTC', :sessions.time_zone), 12) AS session_time,
  SUBSTRING(CONVERT_TZ(FROM_UNIXTIME(event_timestamp / 1000), 'UTC', :sessions.time_zone), 12) AS latest_time
FROM session_events
WHERE (session_ms IS NOT NULL OR :sessions.rows = 'events') AND (user_id = :sessions.user OR :sessions.user IS NULL)
