"""Tests of what runs on Flink 2 without AWS's connectors: `make test-flink2` has a Python with it."""

from pipeline.flink_version import FLINK_2

collect_ignore_glob = [] if FLINK_2 else ["test_*.py"]
