#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uploads by tus beside other servers of it, in turns, on the same disk; and the memory of a large one.

    bench/uploads.py [MIB [ROUNDS [LARGE_MIB [FOLDER [PHOTOS]]]]]

The peers are the npm package @tus/server with its file store, and tusd when TUSD names its binary. A round
sends a file of MIB MiB to each by one PATCH over loopback, from its first byte to the last answer.
Ours seals what it writes, hashes it, and answers when it is durable; the peers write it as it is, and
leave it to the system when that reaches the disk: so the rounds come again with their files synced before
the clock stops. Before each starts, the disk has written what the one before left. `CPU` is processor time
a GiB, of which a busy machine shows more than of the other. Then PHOTOS photos of 2 MiB are sent to each
over four connections, each by the one request that makes it and brings its bytes.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from user_server import ROOT, Person, processor_s

sys.path.insert(0, str(ROOT / "tests" / "clients"))

from harness import Server, descendants  # noqa: E402
from test_accounts import CHEAP  # noqa: E402
from test_removebg_node import find_node  # noqa: E402
from uploading import JPEG, OCTETS, PATH, TUS  # noqa: E402

MIB = 1 << 20
LINES = 4


class Target(NamedTuple):
    port: int
    path: str
    pid: int
    headers: dict = {}
    files: Path = None  # of a peer

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def sync(self):
        """Makes the newest file of a peer durable, as our answer says that ours is."""
        if self.files:
            newest = max((path for path in self.files.iterdir() if path.stat().st_size >= MIB),
                         key=lambda path: path.stat().st_mtime_ns)  # beside it lies what is known of it
            with open(newest, "rb") as file:
                os.fsync(file.fileno())


def send(target, mib, durably=False):
    """MiB/s of a new upload."""
    connection = target.connect()
    connection.request("POST", target.path, headers={**TUS, "Upload-Length": str(mib * MIB), **target.headers})
    reply = connection.getresponse()
    reply.read()
    assert reply.status == 201, reply.status
    where = re.sub(r"^https?://[^/]+", "", reply.headers["Location"])
    piece = os.urandom(MIB)
    began = time.monotonic()
    connection.putrequest("PATCH", where)
    for name, value in {**TUS, "Upload-Offset": "0", "Content-Type": OCTETS,
                        "Content-Length": str(mib * MIB), **target.headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(JPEG + piece[len(JPEG):])
    for _ in range(mib - 1):
        connection.send(piece)
    reply = connection.getresponse()
    assert reply.status == 204, (reply.status, reply.read())
    if durably:
        target.sync()
    return mib / (time.monotonic() - began)


def send_photos(target, n):
    """Photos/s of n new ones."""
    numbers = iter(range(n))
    rest = os.urandom(2 * MIB - len(JPEG) - 16)
    headers = {**TUS, "Upload-Length": str(2 * MIB), "Content-Type": OCTETS, **target.headers}

    def line(connection):
        for _ in numbers:
            connection.request("POST", target.path, headers=headers, body=JPEG + os.urandom(16) + rest)
            reply = connection.getresponse()
            assert reply.status == 201, (reply.status, reply.read())
            assert reply.headers["Upload-Offset"] == str(2 * MIB), reply.headers
            reply.read()

    began = time.monotonic()
    with ThreadPoolExecutor(LINES) as lines:
        list(lines.map(line, [target.connect() for _ in range(LINES)]))
    return n / (time.monotonic() - began)


@contextlib.contextmanager
def imagesync(folder):
    with tempfile.TemporaryDirectory(dir=folder) as data:
        server = Server(Path(data) / "server", services="user,sync", **CHEAP)
        headers = {"Authorization": Person(server).http.headers["Authorization"]}
        try:
            yield Target(server.port, PATH, server.process.pid, headers)
        finally:
            server.stop()


@contextlib.contextmanager
def tus_server(folder):
    with tempfile.TemporaryDirectory(dir=folder) as files, subprocess.Popen(
            [find_node(), ROOT / "bench" / "tus_server.mjs", files], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Target(int(process.stdout.readline()), "/files", process.pid, files=Path(files))
        finally:
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
        try:
            yield Target(int(found[1]), "/files/", process.pid, files=Path(files))
        finally:
            process.terminate()


def pss_mib(pid):
    total = 0
    for each in [pid, *descendants(pid)]:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    return total / 1024


def large(target, mib):
    """(MiB/s, the most that it had in memory, what it had before)."""
    before, most, over = pss_mib(target.pid), 0, threading.Event()

    def watch():
        nonlocal most
        while not over.wait(0.05):
            most = max(most, pss_mib(target.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    speed = send(target, mib)
    over.set()
    watcher.join()
    return speed, most, before


def in_turns(running, rounds, work, size, unit, of):
    """What each does in a second, and the processor time it takes; `size` in GiB or photos."""
    speeds = {name: [] for name in running}
    began = {name: processor_s(target.pid) for name, target in running.items()}
    for _ in range(rounds):
        for name, target in running.items():
            os.sync()
            speeds[name].append(work(target))
    for name, each in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(speeds["imagesync"], each)]
        used = (processor_s(running[name].pid) - began[name]) / (size * rounds)
        print(f"{name:12} {statistics.median(each):7.0f} {unit}/s, best {max(each):.0f}, CPU {used:.3g} {of}; "
              f"imagesync is {statistics.median(ratios):.2f} times as fast", flush=True)


def main():
    words = sys.argv[1:4] + ["512", "5", "2048"][len(sys.argv[1:4]):]
    mib, rounds, large_mib = (int(word) for word in words)
    folder = sys.argv[4] if len(sys.argv) > 4 else tempfile.gettempdir()
    photos = int(sys.argv[5]) if len(sys.argv) > 5 else 300
    servers = {"imagesync": imagesync, "@tus/server": tus_server}
    if os.environ.get("TUSD"):
        servers["tusd"] = tusd
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(start(folder)) for name, start in servers.items()}
        print(f"{mib} MiB until the answer:")
        in_turns(running, rounds, lambda target: send(target, mib), mib / 1024, "MiB", "s/GiB")
        print("until it is durable:")
        in_turns(running, rounds, lambda target: send(target, mib, durably=True), mib / 1024, "MiB", "s/GiB")
        print(f"{photos} photos:")
        in_turns(running, rounds, lambda target: send_photos(target, photos), photos / 1000, "photos",
                 "ms a photo")
        speed, most, before = large(running["imagesync"], large_mib)
        print(f"{large_mib} MiB: {speed:.0f} MiB/s; {most:.0f} MiB of memory, {before:.0f} before")


if __name__ == "__main__":
    main()
