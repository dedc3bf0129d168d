-- What people are notified of, under the names that the lab's function knows: one row an alert of the detector's; or with
-- anomalies.by = 'score' one row a window and forest key that scored above the threshold, as in KDA. Rates in percent.
SELECT
  ctr AS `CTRPERCENT`,
  anomaly_score AS `ANOMALY_SCORE`,
  site AS `SITE`,
  window_start AS `WINDOW_START`,
  window_end AS `WINDOW_END`,
  expected_ctr AS `EXPECTED_CTR`
FROM scores
WHERE CASE :anomalies.by WHEN 'score' THEN anomaly_score > :anomalies.threshold ELSE alert END
