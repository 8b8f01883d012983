# SPDX-License-Identifier: Apache-2.0
"""Looking at processes through /proc, and waiting for what must come true."""

import time
from pathlib import Path


def descendants(pid):
    """All processes below that one, by their ids."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
