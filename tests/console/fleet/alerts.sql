-- Averages that scored above the threshold: one row a vehicle and window.
SELECT vehicle, speed, anomaly_score, rowtime
FROM scored
WHERE anomaly_score > :alerts.threshold
