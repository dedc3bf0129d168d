"""Lab 2: sessions of a clickstream."""
