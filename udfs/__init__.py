"""The random cut forest, its door to Flink, and record decoding."""
