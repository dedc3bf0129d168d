"""Decode records to typed rows: formats, envelopes, columns, coercions, time, and the Flink function."""
