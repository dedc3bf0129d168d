-- Browser actions with their window: one row per record, when it arrives. forest_key is the site with window.by_site, else
-- '' for all sites. rowtime is the window's last millisecond from here on.
SELECT
  browseraction,
  site,
  CASE WHEN :window.by_site THEN COALESCE(site, '') ELSE '' END AS forest_key,
  rowtime AS arrival_time,
  window_end,
  window_time AS rowtime
FROM TABLE(
  TUMBLE(TABLE source_sql_stream, DESCRIPTOR(rowtime), :window.size)
)
