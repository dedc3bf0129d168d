-- Clicks in order of their event time: one row a click, when no earlier one can come any more.
SELECT user_id, event_timestamp, event_name, device_type, event_time
FROM events
WHERE event_timestamp >= clock_ms - :event_time.disorder_ms
ORDER BY rowtime
