"""Infers the schema of a stream from a sample: columns, types, record paths."""
