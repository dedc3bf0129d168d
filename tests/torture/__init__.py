"""The jobs under failures and load: short runs for pytest, long ones with `python -m tests.torture`."""
