"""Flink for the cases: the same mini-cluster as the jobs' tests have."""

from tests.jobs.conftest import mini_flink

__all__ = ["mini_flink"]
