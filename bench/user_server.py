# SPDX-License-Identifier: Apache-2.0
"""The user service as benchmarks want it: the real binary on a folder of its own."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("IMAGESYNC_BIN", str(ROOT / "build" / "imagesync"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import Server, descendants  # noqa: E402
from people import Person  # noqa: E402, F401


@contextlib.contextmanager
def user_server(**settings):
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = Server(Path(folder) / "server", services="user", **settings)
        try:
            yield server
        finally:
            server.stop()


def memory_mib(server):
    """What all its processes have resident now."""
    total = 0
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    return total / 1024


def processor_s(pid):
    """What that process and those below it have used so far."""
    ticks = 0
    for each in [pid, *descendants(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def wrk(url, seconds, connections, token=None, script=None):
    """(requests/s, 99th percentile in ms) of one thread; every answer must be good."""
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    header += ["-s", script] if script else []
    out = subprocess.run(["wrk", "-t1", "--timeout=30s", f"-c{connections}", f"-d{seconds}s", "--latency",
                          *header, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(out)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit])
