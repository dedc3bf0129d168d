-- Impressions by window and forest key: one row per window with impressions, when it closes. site is NULL if there were
-- several.
SELECT
  window_start,
  window_end,
  window_time AS rowtime,
  forest_key,
  CASE WHEN MIN(site) = MAX(site) THEN MIN(site) END AS site,
  CAST(COUNT(*) AS DOUBLE) AS impressioncount
FROM TABLE(
  TUMBLE(TABLE on_time_actions, DESCRIPTOR(rowtime), :window.size)
)
WHERE browseraction = 'Impression'
GROUP BY window_start, window_end, window_time, forest_key
