-- The anomalies as the lab's function gets them: one row an anomaly.
CREATE TEMPORARY VIEW destination_sql_stream AS
SELECT `CTRPERCENT`, `ANOMALY_SCORE`, `SITE`, `WINDOW_START`, `WINDOW_END`, `USUAL_CTR`
FROM anomalies
