-- Scored click-through rates with the usual one in percent, the mean of the ordinary among as many newest
-- windows as the forest samples, and one: one row a window and forest key, when the window closes. usual_ctr is NULL where none of them was ordinary;
-- threshold is the score that is no longer.
SELECT
  window_start,
  window_end,
  forest_key,
  site,
  clickcount,
  impressioncount,
  ctr,
  anomaly_score,
  :anomalies.threshold AS threshold,
  AVG(CASE WHEN anomaly_score <= :anomalies.threshold THEN ctr END) OVER (
    PARTITION BY forest_key
    ORDER BY rowtime
    ROWS BETWEEN :random_cut_forest.sub_sample_size PRECEDING AND CURRENT ROW
  ) AS usual_ctr,
  rowtime
FROM scored_ctr
