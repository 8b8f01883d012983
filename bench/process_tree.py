# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory of a process and all its descendants, from /proc."""

import os
import threading
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(root):
    """The process ids of root and its descendants."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of the tree, of children that have ended too."""
    total = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def memory_bytes(root):
    """(PSS, RSS) of the tree. PSS counts a page that n processes share 1/n in each, so its sum is
    what the tree really takes; the sum of RSS counts shared pages again in every process."""
    pss = rss = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        pss += values.get("Pss", 0) * 1024
        rss += values.get("Rss", 0) * 1024
    return pss, rss


class MemoryWatch:
    """Samples a tree's memory in the background; `peak` is (PSS, RSS)."""

    def __init__(self, root, interval_s=0.1):
        self.root = root
        self.interval_s = interval_s
        self.peak = (0, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self._stop.is_set():
            now = memory_bytes(self.root)
            self.peak = tuple(max(pair) for pair in zip(self.peak, now))
            self._stop.wait(self.interval_s)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
