-- Rows for the tap: all rows of a relation up to :tap.rate a second, above it a random sample of :tap.rate a second.
-- A row without rowtime gets the time at which it came, like KDA's ROWTIME.
CREATE TEMPORARY VIEW tapped_rows AS
SELECT
  relation,
  COALESCE(rowtime, CAST(came AS TIMESTAMP(3))) AS rowtime,
  GREATEST(1.0E0, in_the_last_second / :tap.rate) AS weight,
  /* columns */ AS `columns`,
  data
FROM (
  SELECT
    *,
    COUNT(*) OVER (
      PARTITION BY relation ORDER BY came RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW
    ) AS in_the_last_second
  FROM (
    SELECT *, PROCTIME() AS came
    FROM (
/* relations */
    ) AS each_relation (relation, rowtime, data)
  )
)
WHERE RAND() * in_the_last_second < :tap.rate
