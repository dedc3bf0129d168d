"""From a sample of a stream to its schema: columns, types, record paths."""
