-- Scored click-through rates with the usual one in percent, the mean of the ordinary among the newest :windows + 1
-- windows: one row a window and forest key, when the window closes. usual_ctr is NULL where none of them was ordinary;
-- threshold is the score that is no longer.
CREATE TEMPORARY VIEW scores AS
SELECT
  window_start,
  window_end,
  forest_key,
  site,
  clickcount,
  impressioncount,
  ctr,
  anomaly_score,
  :threshold AS threshold,
  AVG(CASE WHEN anomaly_score <= :threshold THEN ctr END) OVER (
    PARTITION BY forest_key
    ORDER BY rowtime
    ROWS BETWEEN :windows PRECEDING AND CURRENT ROW
  ) AS usual_ctr,
  rowtime
FROM scored_ctr
