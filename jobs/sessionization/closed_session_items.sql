-- DynamoDB items of closed sessions: one item a session_id, the newest row wins.
CREATE TEMPORARY TABLE closed_session_items (
  user_id STRING,
  session_id STRING,
  session_time STRING,
  session_start TIMESTAMP(3),
  session_end TIMESTAMP(3),
  number_of_events BIGINT,
  duration_ms BIGINT,
  pages ARRAY<STRING>
)
PARTITIONED BY (session_id)
