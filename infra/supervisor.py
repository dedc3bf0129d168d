"""Runs the local AWS so that it can't outlive the process that started it.

``python supervisor.py PARENT COMMAND...`` runs the command as a child in this process's session and waits. When the
command ends, or when PARENT (a process id; 0 for none) is no longer this process's parent, the whole process group is
killed: the emulator, and its workers, which would otherwise keep running a Lambda function for up to 15 minutes.

It polls its parent's process id. This also works if the parent is killed by SIGKILL, and unlike a pipe, it is not kept
alive by a forked copy of the parent.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
# Loaded before the fork, as a forked child should do as little as possible.
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Let the kernel kill the command if this supervisor is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(parent: int, command: list[str]) -> None:
    """Run `command` until it ends or `parent` does, then kill this process's group."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    while child.poll() is None and parent in (0, os.getppid()):
        time.sleep(_POLL_SECONDS)
    # Kill the group at once: a worker that is being forked is in it too.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
