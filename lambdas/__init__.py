"""The Lambda functions that the labs deploy."""
