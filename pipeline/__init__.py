"""The engine: an application described as data becomes relations in Flink."""
