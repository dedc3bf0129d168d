-- Clicks with their event time as rowtime: one row a click, when it arrives. What follows takes them in order of it.
CREATE TEMPORARY VIEW on_time_clicks AS
SELECT user_id, event_timestamp, event_name, device_type, rowtime
FROM events
WHERE event_timestamp >= clock_ms - :disorder_ms
