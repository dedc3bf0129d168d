-- Anomalies by KDA's rule: one row per window and forest key that scored above the threshold, when the window closes.
SELECT window_start, window_end, site, ctr, anomaly_score, rowtime
FROM scores
WHERE anomaly_score > :anomalies.threshold
