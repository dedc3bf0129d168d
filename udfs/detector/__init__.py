"""The parts of :mod:`udfs.anomaly_detector`, which turns scores to alerts, and its Flink function."""
