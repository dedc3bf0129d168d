"""Windows that SQL can't say: sliding row by row, closing, hotspots; and their doors to Flink."""
