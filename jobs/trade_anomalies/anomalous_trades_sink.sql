-- What goes to Firehose or S3: one JSON object an anomalous trade. arrival_time in UTC.
CREATE TEMPORARY TABLE anomalous_trades_sink (
  ticker_symbol STRING,
  trade_type STRING,
  price DOUBLE,
  quantity INTEGER,
  id INTEGER,
  anomaly_score DOUBLE,
  arrival_time TIMESTAMP(3)
)
