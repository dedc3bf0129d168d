-- The same for S3, in order of time: so all come from one subtask, and behind that the file writer's state has the same
-- name in savepoints of every parallelism.
CREATE TEMPORARY VIEW ordered_anomalies AS
SELECT `CTRPERCENT`, `ANOMALY_SCORE`, `SITE`, `WINDOW_START`, `WINDOW_END`, `USUAL_CTR`
FROM anomalies
ORDER BY rowtime
