"""Flink jobs: one folder per lab, SQL beside the code that composes it."""
