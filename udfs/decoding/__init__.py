"""From records to typed rows: formats, envelopes, columns, coercions and time, with the door to Flink."""
