-- Errors: one row per click whose event time is further behind the newest one than the allowed disorder, when it arrives.
SELECT
  'LATE_EVENT' AS error_name,
  'event_timestamp: required at most ' || CAST(:event_time.disorder_ms AS STRING) || ' ms behind the newest event, got '
    || CAST(clock_ms - event_timestamp AS STRING) || ' ms, for user ' || user_id AS message,
  arrival AS data_rowtime,
  LOWER(HEX(JSON_OBJECT(
    KEY 'user_id' VALUE user_id,
    KEY 'event_timestamp' VALUE event_timestamp,
    KEY 'event_name' VALUE event_name,
    KEY 'device_type' VALUE device_type
  ))) AS data_row
FROM events
WHERE event_timestamp < clock_ms - :event_time.disorder_ms
