"""What :mod:`udfs.random_cut_forest` is made of, and its door to Flink."""
