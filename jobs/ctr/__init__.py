"""Lab 1: click-through rates that stand out."""
