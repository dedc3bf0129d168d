-- Browser actions whose window is open: one row per record, when it arrives.
SELECT browseraction, site, forest_key, rowtime
FROM windowed_actions
WHERE CURRENT_WATERMARK(rowtime) IS NULL OR rowtime > CURRENT_WATERMARK(rowtime)
