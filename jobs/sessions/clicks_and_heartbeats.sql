-- Clicks with a usable event time, when they arrive, and the source's heartbeats: rows without a click (user_id NULL).
-- No click arrives after a heartbeat with an earlier arrival.
SELECT user_id, event_timestamp, event_name, device_type, arrival
FROM checked_clicks
WHERE refusal IS NULL
UNION ALL
SELECT
  CAST(NULL AS VARCHAR(256)),
  CAST(NULL AS BIGINT),
  CAST(NULL AS VARCHAR(64)),
  CAST(NULL AS VARCHAR(64)),
  CAST(
    CASE
      WHEN rowtime <= CURRENT_WATERMARK(rowtime) THEN CURRENT_WATERMARK(rowtime) + INTERVAL '0.001' SECOND
      ELSE rowtime
    END AS TIMESTAMP_LTZ(3)
  )
FROM source_sql_stream_heartbeats
