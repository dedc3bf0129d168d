-- Browser actions: one row a record, when it arrives. 'Click' and 'Impression' count, any other action is neither.
CREATE TABLE source_sql_stream (
  browseraction VARCHAR(32) NOT NULL,
  site VARCHAR(253)
)
