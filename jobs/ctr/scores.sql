-- Scored click-through rates with what was expected, in percent: one row a window and forest key, when the window closes.
-- threshold is the score that is no longer ordinary by KDA's rule; alert is the detector's word.
SELECT
  window_start,
  window_end,
  forest_key,
  site,
  clickcount,
  impressioncount,
  ctr,
  expected_ctr,
  anomaly_score,
  :anomalies.threshold AS threshold,
  alert,
  rowtime
FROM detections
