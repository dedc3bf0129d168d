-- Anomalous click-through rates: one row a window and forest key that scored above the threshold and is off the usual
-- rate by at least :anomalies.least_change percent of it, when the window closes. Names as the lab's function knows them.
SELECT
  ctr AS `CTRPERCENT`,
  anomaly_score AS `ANOMALY_SCORE`,
  site AS `SITE`,
  window_start AS `WINDOW_START`,
  window_end AS `WINDOW_END`,
  usual_ctr AS `USUAL_CTR`,
  rowtime
FROM scores
WHERE anomaly_score > :anomalies.threshold
  AND (usual_ctr IS NULL OR ABS(ctr - usual_ctr) >= usual_ctr * :anomalies.least_change / 100)
