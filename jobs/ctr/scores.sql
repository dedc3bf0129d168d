-- Scored click-through rates with the expected ones, in percent: one row per window and forest key, when the window
-- closes. threshold is KDA's rule: a higher score is an anomaly. alert is the detector's decision.
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
