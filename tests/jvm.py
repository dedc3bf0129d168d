"""Options of the JVMs that tests start."""

#: Most live for a minute or less: too short for the second compiler to pay off. To verify the classes of Flink and its
#: planner takes a second of each. With one compiler a JVM has room for 48 MB of compiled code only; one that runs many
#: jobs would throw code away and compile it again all the time: so it gets Java's usual room.
SHORT_LIVED = " ".join(
    (
        "-XX:TieredStopAtLevel=1",
        "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
        "-XX:ReservedCodeCacheSize=240m",
        # Else the whole heap is collected at each of several sizes of loaded classes.
        "-XX:MetaspaceSize=256m",
    )
)
