-- Browser actions with their window: one row a record, when it arrives. forest_key says whose rate an action counts
-- for: its site's where there is one for each, else '' for all. rowtime is the window's last millisecond from here on.
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
