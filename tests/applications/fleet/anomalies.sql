-- Minutes that scored above the threshold: one row a vehicle and minute.
SELECT vehicle, minute_end, speed, fuel, anomaly_score, rowtime
FROM scores
WHERE anomaly_score > :anomalies.threshold
