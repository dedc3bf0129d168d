"""From scores to alerts: what :mod:`udfs.anomaly_detector` is made of, and its door to Flink."""
