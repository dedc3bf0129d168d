-- Anomalous trades that can still be sorted: one row per trade, when it is scored.
SELECT ticker_symbol, trade_type, price, quantity, id, anomaly_score, CAST(rowtime AS TIMESTAMP(3)) AS arrival_time, rowtime
FROM anomalous_trades
WHERE CURRENT_WATERMARK(rowtime) IS NULL OR rowtime > CURRENT_WATERMARK(rowtime)
