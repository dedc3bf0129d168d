-- The anomalies as the lab's function gets them: one row an anomaly.
SELECT `CTRPERCENT`, `ANOMALY_SCORE`, `SITE`, `WINDOW_START`, `WINDOW_END`, `USUAL_CTR`
FROM anomalies
