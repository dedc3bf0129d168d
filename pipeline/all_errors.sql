-- Every relation's errors under KDA's column names: one row a record that was refused, as soon as it is. Message and raw
-- record are cut to what KDA's columns held, so that the row always fits into a record of the error stream.
CREATE TEMPORARY VIEW all_errors AS
SELECT
  CAST(PROCTIME() AS TIMESTAMP(3)) AS error_time,
  'ERROR' AS error_level,
  LEFT(error_name, 32) AS error_name,
  CASE
    WHEN CHAR_LENGTH(data_row) > 49152
      THEN LEFT(message, 4000) || ' (row of ' || CAST(CHAR_LENGTH(data_row) / 2 AS STRING) || ' bytes, cut to 24576)'
    ELSE LEFT(message, 4096)
  END AS message,
  CAST(data_rowtime AS TIMESTAMP(3)) AS data_rowtime,
  LEFT(data_row, 49152) AS data_row,
  pump_name
FROM (
/* relations */
) AS refused
