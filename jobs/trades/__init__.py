"""Lab 3: trades with an anomalous price and quantity."""
