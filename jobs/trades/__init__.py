"""Lab 3: trades that stand out by price and quantity."""
