"""The engine: turns an application's description into relations in Flink."""
