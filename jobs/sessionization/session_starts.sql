-- What the table keeps of a session start: one row a session.
CREATE TEMPORARY VIEW session_starts AS
SELECT session_id, session_time, user_id
FROM destination_sql_stream
