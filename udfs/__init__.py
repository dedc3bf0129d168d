"""What SQL can't say: record decoding, random cut forest, anomaly detector, windows; each with its door to Flink."""
