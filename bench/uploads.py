#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uploads by tus beside other servers of it, in turns, on the same disk; and the memory of a large one.

    bench/uploads.py [MIB [ROUNDS [LARGE_MIB [FOLDER]]]]

The peers are the npm package @tus/server with its file store, and tusd when TUSD names its binary. A round
sends a file of MIB MiB to each by one PATCH over loopback, from its first byte to the last answer.
Ours seals what it writes, hashes it, and answers when it is durable; the peers write it as it is, and
leave it to the system when that reaches the disk. `CPU` is processor time a GiB, of which a busy machine
shows more than of the other.
"""

import contextlib
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from user_server import ROOT, Person, processor_s

sys.path.insert(0, str(ROOT / "tests" / "clients"))

from harness import Server, descendants  # noqa: E402
from test_accounts import CHEAP  # noqa: E402
from test_removebg_node import find_node  # noqa: E402
from uploading import JPEG, OCTETS, PATH, TUS  # noqa: E402

MIB = 1 << 20


def send(port, path, mib, headers=None):
    """MiB/s of a new upload."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", path, headers={**TUS, "Upload-Length": str(mib * MIB), **(headers or {})})
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 201, reply.status
    where = re.sub(r"^https?://[^/]+", "", reply.headers["Location"])
    piece = os.urandom(MIB)
    began = time.monotonic()
    connection.putrequest("PATCH", where)
    for name, value in {**TUS, "Upload-Offset": "0", "Content-Type": OCTETS,
                        "Content-Length": str(mib * MIB), **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(JPEG + piece[len(JPEG):])
    for _ in range(mib - 1):
        connection.send(piece)
    reply = connection.getresponse()
    assert reply.status == 204, (reply.status, reply.read())
    return mib / (time.monotonic() - began)


@contextlib.contextmanager
def imagesync(folder):
    with tempfile.TemporaryDirectory(dir=folder) as data:
        server = Server(Path(data) / "server", services="user,sync", **CHEAP)
        headers = {"Authorization": Person(server).http.headers["Authorization"]}
        try:
            yield lambda mib: send(server.port, PATH, mib, headers), server.process.pid
        finally:
            server.stop()


@contextlib.contextmanager
def tus_server(folder):
    with tempfile.TemporaryDirectory(dir=folder) as files, subprocess.Popen(
            [find_node(), ROOT / "bench" / "tus_server.mjs", files], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        port = int(process.stdout.readline())
        yield lambda mib: send(port, "/files", mib), process.pid
        process.stdin.close()


@contextlib.contextmanager
def tusd(folder):
    with tempfile.TemporaryDirectory(dir=folder) as files, subprocess.Popen(
            [os.environ["TUSD"], "-host", "127.0.0.1", "-port", "0", "-upload-dir", files], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found and found[1] != "0":
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield lambda mib: send(int(found[1]), "/files/", mib), process.pid
        process.terminate()


def pss_mib(pid):
    total = 0
    for each in [pid, *descendants(pid)]:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    return total / 1024


def large(upload, pid, mib):
    """(MiB/s, the most that it had in memory, what it had before)."""
    before, most, over = pss_mib(pid), 0, threading.Event()

    def watch():
        nonlocal most
        while not over.wait(0.05):
            most = max(most, pss_mib(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    speed = upload(mib)
    over.set()
    watcher.join()
    return speed, most, before


def main():
    mib, rounds, large_mib = (int(word) for word in (
        sys.argv[1:4] + ["512", "5", "2048"][len(sys.argv[1:4]):]))
    folder = sys.argv[4] if len(sys.argv) > 4 else tempfile.gettempdir()
    servers = {"imagesync": imagesync, "@tus/server": tus_server}
    if os.environ.get("TUSD"):
        servers["tusd"] = tusd
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(start(folder)) for name, start in servers.items()}
        speeds = {name: [] for name in servers}
        began = {name: processor_s(pid) for name, (_upload, pid) in running.items()}
        for _ in range(rounds):
            for name, (upload, _pid) in running.items():
                speeds[name].append(upload(mib))
        for name, each in speeds.items():
            ratios = [ours / theirs for ours, theirs in zip(speeds["imagesync"], each)]
            used = (processor_s(running[name][1]) - began[name]) / (mib * rounds / 1024)
            print(f"{name:12} {statistics.median(each):7.0f} MiB/s, CPU {used:.2f} s/GiB; imagesync is "
                  f"{statistics.median(ratios):.2f} times as fast")
        speed, most, before = large(*running["imagesync"], large_mib)
        print(f"{large_mib} MiB: {speed:.0f} MiB/s; {most:.0f} MiB of memory, {before:.0f} before")


if __name__ == "__main__":
    main()
