-- Click-through rate in percent, above 100 if there are more clicks than impressions: one row per window and forest key
-- with both, when the window closes.
SELECT
  clicks.window_start,
  clicks.window_end,
  clicks.rowtime,
  clicks.forest_key,
  CASE WHEN clicks.site = impressions.site THEN clicks.site END AS site,
  clicks.clickcount,
  impressions.impressioncount,
  clicks.clickcount / impressions.impressioncount * 100 AS ctr
FROM clickstream AS clicks
INNER JOIN impressionstream AS impressions
  ON clicks.window_start = impressions.window_start
  AND clicks.window_end = impressions.window_end
  AND clicks.forest_key = impressions.forest_key
