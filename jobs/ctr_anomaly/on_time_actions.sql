-- Browser actions whose window is open: one row a record, when it arrives.
CREATE TEMPORARY VIEW on_time_actions AS
SELECT browseraction, site, forest_key, rowtime
FROM windowed_actions
WHERE CURRENT_WATERMARK(rowtime) IS NULL OR rowtime > CURRENT_WATERMARK(rowtime)
