-- Click-through rate in percent, above 100 where clicks outnumber impressions: one row a window and forest key that has
-- both, when the window closes.
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
