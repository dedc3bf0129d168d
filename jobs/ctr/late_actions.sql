-- Browser actions that came after their window had closed: one row per record, for the error stream.
SELECT
  'LATE_DROPPED' AS error_name,
  CONCAT(
    'record: required before the window ending at ', CAST(window_end AS STRING), ' closed, got when the watermark was ',
    CAST(CAST(CURRENT_WATERMARK(rowtime) AS TIMESTAMP(3)) AS STRING)
  ) AS message,
  arrival_time AS data_rowtime,
  LOWER(HEX(JSON_OBJECT(KEY 'browseraction' VALUE browseraction, KEY 'site' VALUE site))) AS data_row
FROM windowed_actions
WHERE rowtime <= CURRENT_WATERMARK(rowtime)
