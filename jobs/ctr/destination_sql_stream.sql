-- Notifications, with the column names of the lab's function: one row per alert of the detector, or, with
-- anomalies.by = 'score', per window and forest key that scored above the threshold, as in KDA. Rates in percent.
SELECT
  ctr AS `CTRPERCENT`,
  anomaly_score AS `ANOMALY_SCORE`,
  site AS `SITE`,
  window_start AS `WINDOW_START`,
  window_end AS `WINDOW_END`,
  expected_ctr AS `EXPECTED_CTR`
FROM scores
WHERE CASE :anomalies.by WHEN 'score' THEN anomaly_score > :anomalies.threshold ELSE alert END
