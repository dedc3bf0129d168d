-- What the table keeps of a closed session: one row a session. DynamoDB has no type for times; as texts they are in order.
CREATE TEMPORARY VIEW session_ends AS
SELECT
  session_id,
  session_time,
  user_id,
  DATE_FORMAT(session_start, 'yyyy-MM-dd HH:mm:ss.SSS') AS session_start,
  DATE_FORMAT(session_end, 'yyyy-MM-dd HH:mm:ss.SSS') AS session_end,
  number_of_events,
  duration_ms,
  pages
FROM closed_sessions
