"""Options of the JVMs that tests start."""

#: Most live for a minute or less: too short for the second compiler to pay off. To verify Flink's and the planner's
#: classes takes a second of each.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
