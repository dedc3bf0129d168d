-- The sink's rows with their folder: UTC date and hour of arrival.
CREATE TEMPORARY TABLE anomalous_trades_files (
  ticker_symbol STRING,
  trade_type STRING,
  price DOUBLE,
  quantity INTEGER,
  id INTEGER,
  anomaly_score DOUBLE,
  arrival_time TIMESTAMP(3),
  `yyyy` STRING,
  `MM` STRING,
  `dd` STRING,
  `HH` STRING
)
PARTITIONED BY (`yyyy`, `MM`, `dd`, `HH`)
