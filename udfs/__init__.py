"""What SQL can't express, with their Flink functions: record decoding, forest, anomaly detector, windows."""
