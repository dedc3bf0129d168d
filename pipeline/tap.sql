-- Rows of the job's relations, to look at: one JSON object a row, as soon as it is there. rowtime in UTC; data is the row
-- as JSON, columns its names in the relation's order; weight says for how many rows it stands, which is more than 1 where a relation is sampled.
CREATE TEMPORARY TABLE tap (
  relation STRING,
  rowtime TIMESTAMP(3),
  weight DOUBLE,
  `columns` STRING,
  data STRING
)
