-- Clicks in order of event time, then user: one row per click, when no earlier one can come any more.
-- A user's clicks of one millisecond follow each other in order of arrival.
SELECT user_id, event_timestamp, event_name, device_type, event_time
FROM events
WHERE event_timestamp >= clock_ms - :event_time.disorder_ms
ORDER BY rowtime, user_id
