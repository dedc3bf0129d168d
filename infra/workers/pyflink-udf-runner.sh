#!/bin/sh
# Starts a Python worker: in the process of the mini-cluster if it serves workers, else as PyFlink does.
if [ -n "$PYTHON_LOOPBACK_SERVER_ADDRESS" ]; then
  exec "$KDA_PYTHON" -I -S "${0%/*}/launcher.py" "$@"
fi
export python="$KDA_PYTHON"
exec "$FLINK_HOME/bin/pyflink-udf-runner.sh" "$@"
