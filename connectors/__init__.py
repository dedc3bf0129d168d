"""One module per AWS service, each with its options and checks; and the Lambda sink."""
