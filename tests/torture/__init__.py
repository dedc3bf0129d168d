"""The jobs under failure, load and abuse: short forms for pytest, the long one as `python -m tests.torture`."""
