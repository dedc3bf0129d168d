"""The parts of :mod:`udfs.random_cut_forest`, and its Flink function."""
