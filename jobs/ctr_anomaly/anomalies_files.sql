-- What goes to S3: one JSON object an anomalous window. Times in UTC, rates in percent.
CREATE TEMPORARY TABLE anomalies_files (
  `CTRPERCENT` DOUBLE,
  `ANOMALY_SCORE` DOUBLE,
  `SITE` STRING,
  `WINDOW_START` TIMESTAMP(3),
  `WINDOW_END` TIMESTAMP(3),
  `USUAL_CTR` DOUBLE
)
