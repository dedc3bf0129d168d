"""Lab 1: anomalous click-through rates."""
