-- Clicks with the reason why their event time or names can't be used, NULL for most: one row a click, when it arrives.
-- arrival is rowtime, or the next instant where the source was already past it: a click that is out of order there
-- takes its place in the order of arrival now, and is not lost.
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  rowtime AS arrived,
  CAST(
    CASE
      WHEN rowtime <= CURRENT_WATERMARK(rowtime) THEN CURRENT_WATERMARK(rowtime) + INTERVAL '0.001' SECOND
      ELSE rowtime
    END AS TIMESTAMP_LTZ(3)
  ) AS arrival,
  CASE
    WHEN event_timestamp <= 0 THEN 'event_timestamp: required epoch milliseconds above 0'
    -- A time that Flink can't represent is no time: NULL.
    WHEN TO_TIMESTAMP_LTZ(event_timestamp, 3) IS NULL OR TO_TIMESTAMP_LTZ(event_timestamp, 3) > rowtime + :event_time.ahead
      THEN 'event_timestamp: required at most ' || CAST(:event_time.ahead_ms AS STRING) || ' ms after the arrival'
    WHEN user_id = '' THEN 'user_id: required a text of at least one character'
    WHEN device_type = '' THEN 'device_type: required a text of at least one character'
  END AS refusal
FROM source_sql_stream
