-- Trades that scored above the threshold: one row per trade, when it is scored.
SELECT ticker_symbol, trade_type, price, quantity, id, anomaly_score, rowtime
FROM temp_stream
WHERE anomaly_score > :anomalies.threshold
