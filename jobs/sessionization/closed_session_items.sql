-- DynamoDB items of closed sessions: one item a session_id, the newest row wins.
CREATE TEMPORARY TABLE closed_session_items (
  session_id STRING,
  session_time STRING,
  user_id STRING,
  session_start STRING,
  session_end STRING,
  number_of_events BIGINT,
  duration_ms BIGINT,
  pages ARRAY<STRING>
)
PARTITIONED BY (session_id)
