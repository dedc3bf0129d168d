-- Rows of the job's relations, to look at: one JSON object a row, as soon as it is there. data is the row as JSON.
CREATE TEMPORARY TABLE tap (
  relation STRING,
  rowtime TIMESTAMP(3),
  data STRING
)
