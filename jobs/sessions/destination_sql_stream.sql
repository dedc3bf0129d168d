-- The lab's destination stream: one row per session start, or per click, as soon as no earlier click can come.
-- session_time and latest_time are HH:mm:ss in the time zone; session_time is NULL inside a session. session_id ends in the
-- start's HH:mm:ss too, or in its UTC date and time to the millisecond, which makes it unique: underscores of the device
-- are then replaced, so that the last two of the id separate its parts.
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
