-- The destination's rows with their folder: UTC date and hour of arrival.
CREATE TEMPORARY VIEW destination_by_hour AS
SELECT
  *,
  DATE_FORMAT(arrival_time, 'yyyy') AS `yyyy`,
  DATE_FORMAT(arrival_time, 'MM') AS `MM`,
  DATE_FORMAT(arrival_time, 'dd') AS `dd`,
  DATE_FORMAT(arrival_time, 'HH') AS `HH`
FROM destination_sql_stream
