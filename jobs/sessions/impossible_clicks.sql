-- Errors: one row per click whose event time or names can't be used, when it arrives. It never affects the watermark.
SELECT
  'IMPOSSIBLE_EVENT' AS error_name,
  refusal || ', got ' || JSON_OBJECT(
    KEY 'user_id' VALUE user_id, KEY 'event_timestamp' VALUE event_timestamp, KEY 'device_type' VALUE device_type
  ) AS message,
  arrived AS data_rowtime,
  LOWER(HEX(JSON_OBJECT(
    KEY 'user_id' VALUE user_id,
    KEY 'event_timestamp' VALUE event_timestamp,
    KEY 'event_name' VALUE event_name,
    KEY 'device_type' VALUE device_type
  ))) AS data_row
FROM checked_clicks
WHERE refusal IS NOT NULL
