"""Asks the mini-cluster's process to run a Python worker, and ends when it ends. Imports as little as it can."""

import json
import os
import socket
import sys

host, _, port = os.environ["PYTHON_LOOPBACK_SERVER_ADDRESS"].partition(":")
with socket.create_connection((host, int(port))) as asked:
    asked.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode())
    asked.shutdown(socket.SHUT_WR)
    error = b""
    while part := asked.recv(65536):
        error += part
if error:
    sys.exit(error.decode())
