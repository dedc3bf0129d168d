"""Sends rows to a Lambda function by the contract of KDA's Lambda destination."""
