-- Every relation's errors under KDA's column names: one row per refused record, as soon as it is refused. Message and raw
-- record are cut to the length of KDA's columns (they then end in dots), so that the row fits into a Kinesis record.
CREATE TEMPORARY VIEW all_errors AS
SELECT
  CAST(PROCTIME() AS TIMESTAMP(3)) AS error_time,
  'ERROR' AS error_level,
  LEFT(error_name, 32) AS error_name,
  REGEXP_REPLACE(message, '(?s)(?<=^.{4095}).{2,}$', '…') AS message,
  CAST(data_rowtime AS TIMESTAMP(3)) AS data_rowtime,
  REGEXP_REPLACE(data_row, '(?<=^.{49146}).{7,}$', '2e2e2e') AS data_row,
  pump_name
FROM (
/* relations */
) AS refused
