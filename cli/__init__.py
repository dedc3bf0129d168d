"""The `kda` command: a thin layer over the other rooms."""
