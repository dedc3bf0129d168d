-- Clicks, with a reason in refusal if event time or names can't be used: one row per click, when it arrives.
-- arrival is rowtime, but at least the millisecond after the watermark: so a click that the source gives out of order is
-- not late by arrival, and not lost.
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
    -- NULL: a time that Flink can't represent.
    WHEN TO_TIMESTAMP_LTZ(event_timestamp, 3) IS NULL OR TO_TIMESTAMP_LTZ(event_timestamp, 3) > rowtime + :event_time.ahead
      THEN 'event_timestamp: required at most ' || CAST(:event_time.ahead_ms AS STRING) || ' ms after the arrival'
    WHEN user_id = '' THEN 'user_id: required a text of at least one character'
    WHEN device_type = '' THEN 'device_type: required a text of at least one character'
  END AS refusal
FROM source_sql_stream
