"""KDA's SQL: read, resolved and written as an application of this project. No Flink in here."""
