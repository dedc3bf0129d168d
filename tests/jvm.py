"""Options of the JVMs that tests start."""

#: Most live for a minute or less, too short for the second compiler to pay off.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"
