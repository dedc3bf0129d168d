"""Applications: one folder each, with its description and SQL."""
