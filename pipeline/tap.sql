-- Copies of the job's rows: one JSON object per row, as soon as the row exists. rowtime is in UTC, data is the row as JSON,
-- columns are its column names in the relation's order. weight is the number of rows that it represents: more than 1 if the
-- relation is sampled.
CREATE TEMPORARY TABLE tap (
  relation STRING,
  rowtime TIMESTAMP(3),
  weight DOUBLE,
  `columns` STRING,
  data STRING
)
