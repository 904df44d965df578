"""Looks after processes that are none of this one's children."""

import subprocess
import time


def alive(pid):
    """Whether a process runs; one that nobody waited for does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def gone(pids, seconds=10.0):
    """Whether all of these processes end in so many seconds; a busy machine needs some."""
    pids = list(pids)
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))
