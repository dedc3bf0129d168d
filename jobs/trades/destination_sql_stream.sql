-- Anomalous trades by second of arrival, highest score first: one row per trade, when its second is over.
-- A trade that comes after its second has closed is not dropped: it is emitted at once, out of order.
SELECT ticker_symbol, trade_type, price, quantity, id, anomaly_score, arrival_time
FROM (
  SELECT
    ticker_symbol, trade_type, price, quantity, id, anomaly_score, arrival_time,
    ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY anomaly_score DESC, id) AS place
  FROM TABLE(
    TUMBLE(TABLE on_time_trades, DESCRIPTOR(rowtime), INTERVAL '1' SECOND)
  )
)
WHERE place <= 2147483647
UNION ALL
SELECT ticker_symbol, trade_type, price, quantity, id, anomaly_score, CAST(rowtime AS TIMESTAMP(3)) AS arrival_time
FROM anomalous_trades
WHERE rowtime <= CURRENT_WATERMARK(rowtime)
