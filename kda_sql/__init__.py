"""Translates KDA's SQL to an application of this project. Imports no Flink."""
