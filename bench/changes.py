#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Devices that keep in sync: how soon a change is heard, and what streams cost that hear nothing. What
changes take to be read is in library.py.

    bench/changes.py [CONNECTED [IDLE]]

CONNECTED (1,000) streams of ten people hear two hundred changes; the time runs from the answer to who
made the change, which it gets after the commit. IDLE (10,000) streams: what the process has resident.
"""

import resource
import select
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from user_server import Person, Server  # noqa: E402

CHEAP = {"password_ops": 1, "password_memory_mib": 8, "attempts_per_address": 1000000}


def percentile(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def stream(server, person, since):
    peer = socket.create_connection(("127.0.0.1", server.port))
    peer.sendall(f"GET /v1/changes/stream?since={since} HTTP/1.1\r\nHost: bench\r\n"
                 f"Authorization: {person.http.headers['Authorization']}\r\n\r\n".encode())
    text = b""
    while b"retry:" not in text:
        text += peer.recv(4096)
    assert text.startswith(b"HTTP/1.1 200"), text
    return peer


def album(person, name="Spring"):
    reply = person.call("POST", "/v1/albums", {"name": name})
    assert reply.status_code == 201, reply.text
    return reply.json()


def hear(server, n):
    people = [Person(server) for _ in range(10)]
    streams = {person: [stream(server, person, 0) for _ in range(n // 10)] for person in people}
    poll, times = select.epoll(), []
    for peers in streams.values():
        for peer in peers:
            poll.register(peer, select.EPOLLIN)
    for i in range(200):
        person = people[i % 10]
        waiting = {peer.fileno(): peer for peer in streams[person]}
        others = {peer.fileno(): peer for peers in streams.values() for peer in peers}
        made = album(person, f"Album {i}")["id"].encode()
        answered = time.perf_counter()
        while waiting:
            for fd, _ in poll.poll(10):
                text = others[fd].recv(65536)
                if made in text:
                    del waiting[fd]
                    times.append((time.perf_counter() - answered) * 1000)
    print(f"a change on another of {n:,} connected devices: median {statistics.median(times):.1f} ms, "
          f"p99 {percentile(times, .99):.1f} ms after it was answered ({n // 10} hear each)")
    for peers in streams.values():
        for peer in peers:
            peer.close()


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Rss")


def http_process(server):
    (child,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return int(child)


def idle(server, n):
    person, pid = Person(server), http_process(server)
    before, start = resident_mib(pid), time.perf_counter()
    peers = [stream(server, person, 0) for _ in range(n)]
    opened = time.perf_counter() - start
    time.sleep(30)  # so that each has had its heartbeat
    print(f"{n:,} idle streams: {resident_mib(pid):.0f} MiB resident, {before:.0f} without them; "
          f"opened in {opened:.1f} s")
    for peer in peers:
        peer.close()


def main():
    words = sys.argv[1:3] + ["1000", "10000"][len(sys.argv[1:3]):]
    connected, silent = (int(word) for word in words)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = Server(Path(folder) / "server", services="user,sync", **CHEAP)
        try:
            hear(server, connected)
            idle(server, silent)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
