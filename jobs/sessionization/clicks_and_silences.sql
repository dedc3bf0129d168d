-- Clicks in order of arrival, and while the stream is silent a row without a click now and then (user_id NULL).
-- arrival_ms and, for a silence, the time until which nothing came: epoch milliseconds of the clock.
CREATE TEMPORARY VIEW clicks_and_silences AS
SELECT
  user_id,
  event_timestamp,
  event_name,
  device_type,
  EXTRACT(EPOCH FROM rowtime) * 1000 + EXTRACT(MILLISECOND FROM rowtime) AS arrival_ms,
  CAST(NULL AS BIGINT) AS silent_until_ms,
  rowtime
FROM arrivals
UNION ALL
SELECT
  CAST(NULL AS VARCHAR(256)),
  CAST(NULL AS BIGINT),
  CAST(NULL AS VARCHAR(64)),
  CAST(NULL AS VARCHAR(64)),
  CAST(NULL AS BIGINT),
  EXTRACT(EPOCH FROM rowtime) * 1000 + EXTRACT(MILLISECOND FROM rowtime) + :silence_ms,
  rowtime
FROM source_sql_stream_quiet
