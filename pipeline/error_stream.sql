-- Records and rows that could not be parsed, coerced, scored or delivered: one row each, as soon as it is found.
-- The columns are those of KDA's error_stream; data_row is the raw record in hexadecimal.
CREATE TEMPORARY TABLE error_stream (
  error_time TIMESTAMP(3),
  error_level STRING,
  error_name STRING,
  message STRING,
  data_rowtime TIMESTAMP(3),
  data_row STRING,
  pump_name STRING
)
