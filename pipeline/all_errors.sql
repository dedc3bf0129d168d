-- Every relation's errors under KDA's column names: one row a record that was refused, as soon as it is.
CREATE TEMPORARY VIEW all_errors AS
SELECT
  CAST(PROCTIME() AS TIMESTAMP(3)) AS error_time,
  'ERROR' AS error_level,
  error_name,
  message,
  CAST(data_rowtime AS TIMESTAMP(3)) AS data_rowtime,
  data_row,
  pump_name
FROM (
/* relations */
) AS refused
