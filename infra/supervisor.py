"""Run the local AWS so that it can't outlive what it belongs to.

``python supervisor.py PARENT COMMAND...`` runs the command as a child in this process's own session and
waits. When the command ends, or when PARENT (a process id; 0 for none) is no longer this process's parent,
the whole session's process group is killed: the emulator, and the workers it runs Lambda functions in, which
would otherwise go on with a function of up to 15 minutes.

A parent is watched by asking who it is: that holds for SIGKILL too, and unlike a pipe it can't be kept
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
# Loaded before the fork: a forked child should do nothing but call it.
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Let the kernel kill the command when this supervisor itself is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(parent: int, command: list[str]) -> None:
    """Run `command` until it ends or `parent` does, then kill this process's group."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    while child.poll() is None and parent in (0, os.getppid()):
        time.sleep(_POLL_SECONDS)
    # The group ends in one step: a worker being forked meanwhile is in it too.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
