-- Clicks whose event time can be true: one row a click, when it arrives.
CREATE TEMPORARY VIEW possible_clicks AS
SELECT user_id, event_timestamp, event_name, device_type, arrival
FROM checked_clicks
WHERE refusal IS NULL
