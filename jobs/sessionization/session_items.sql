-- DynamoDB items of session starts, as lab-function writes them: one item a session_id, the newest row wins.
CREATE TEMPORARY TABLE session_items (
  session_id STRING,
  session_time STRING,
  user_id STRING
)
PARTITIONED BY (session_id)
