"""One module per AWS service: options and DDL; and the Lambda sink."""
