-- Clicks: one row a click, when it arrives. event_timestamp in epoch milliseconds, as a number or as a string of digits.
CREATE TABLE source_sql_stream (
  user_id VARCHAR(256) NOT NULL,
  event_timestamp BIGINT NOT NULL,
  event_name VARCHAR(64),
  event_type VARCHAR(64),
  device_type VARCHAR(64) NOT NULL
)
