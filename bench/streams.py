#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bodies in pieces over loopback, beside a bare socket; and many event streams in one process.

    bench/streams.py [MIB [ROUNDS [STREAMS]]]

A round moves MIB MiB up into our server, which throws them away, up into a process that does
nothing but recv(), down from our server and down from a process that does nothing but send(). On a
busy machine the processor time of our end, of theirs, says more than MiB/s. Then STREAMS clients hold an event stream each: what the server's process has in memory, and how long an
event takes to reach all of them.
"""

import multiprocessing
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "build" / "bench" / "streams_server"
MIB = 1 << 20
CHUNK = bytes(256 * 1024)
HOST = b"Host: x\r\n"


def bare(listener):
    """Takes until the other end closes its side when the first byte is u, else sends for ever."""
    buffer = bytearray(len(CHUNK))
    while True:
        peer = listener.accept()[0]
        with peer:
            try:
                if peer.recv(1) == b"u":
                    while peer.recv_into(buffer):
                        pass
                    peer.sendall(b"!")
                else:
                    while True:
                        peer.sendall(CHUNK)
            except OSError:
                pass


def send_all(peer, size):
    while size > 0:
        size -= peer.send(CHUNK[:size] if size < len(CHUNK) else CHUNK)


def receive(peer, size):
    buffer = bytearray(len(CHUNK))
    while size > 0:
        n = peer.recv_into(buffer)
        assert n > 0, "cut"
        size -= n


def dial(port):
    return socket.create_connection(("127.0.0.1", port))


def head_of(peer):
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(65536)
    head, _, rest = head.partition(b"\r\n\r\n")
    return head, rest


def up_ours(port, size):
    with dial(port) as peer:
        peer.sendall(b"POST /sink HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size)
        send_all(peer, size)
        assert b" 204 " in head_of(peer)[0]


def up_bare(port, size):
    with dial(port) as peer:
        peer.sendall(b"u")
        send_all(peer, size)
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b"!"


def down_ours(port, size):
    with dial(port) as peer:
        peer.sendall(b"GET /source?len=%d HTTP/1.1\r\n" % size + HOST + b"\r\n")
        receive(peer, size - len(head_of(peer)[1]))


def down_bare(port, size):
    with dial(port) as peer:
        peer.sendall(b"d")
        receive(peer, size)


def processor_s(pid):
    """Seconds that a process has run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(move, pid, port, size):
    """MiB/s, and the other end's processor time in seconds a GiB."""
    start, ran = time.perf_counter(), processor_s(pid)
    move(port, size)
    return (size / MIB / (time.perf_counter() - start),
            (processor_s(pid) - ran) / size * 1024 * MIB)


def memory_mib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Rss")


def hold_streams(server, port, n):
    before = memory_mib(server.pid)
    ask = b"GET /events HTTP/1.1\r\n" + HOST + b"Accept: text/event-stream\r\nUser-Agent: " \
        + b"x" * 300 + b"\r\n\r\n"
    peers = []
    start = time.perf_counter()
    for _ in range(n):
        peer = dial(port)
        peer.sendall(ask)
        assert b" 200 " in head_of(peer)[0]
        peers.append(peer)
    opened_s = time.perf_counter() - start
    held = memory_mib(server.pid)
    poll = select.epoll()
    for peer in peers:
        poll.register(peer, select.EPOLLIN)
    waiting = {peer.fileno(): peer for peer in peers}
    start = time.perf_counter()
    with dial(port) as teller:
        teller.sendall(b"POST /tell HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n")
        while waiting:
            for fd, _ in poll.poll(10):
                peer = waiting.pop(fd, None)
                if peer:
                    assert peer.recv(100).startswith(b"data:")
        assert b" 204 " in head_of(teller)[0]
    told_s = time.perf_counter() - start
    after = memory_mib(server.pid)
    print(f"{n} event streams: {held:.0f} MiB resident ({before:.0f} without any), "
          f"{after:.0f} MiB after an event to all, which took {told_s * 1000:.0f} ms; "
          f"opened in {opened_s:.1f} s")
    for peer in peers:
        peer.close()


def main():
    words = sys.argv[1:4] + ["2048", "5", "10000"][len(sys.argv[1:4]):]
    mib, rounds, streams = (int(word) for word in words)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server(("127.0.0.1", 0))
    peer = multiprocessing.Process(target=bare, args=(listener,), daemon=True)
    peer.start()
    with subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        bare_port = listener.getsockname()[1]
        runs = [[measure(move, pid, where, mib * MIB)
                 for move, pid, where in ((up_ours, server.pid, port),
                                          (up_bare, peer.pid, bare_port),
                                          (down_ours, server.pid, port),
                                          (down_bare, peer.pid, bare_port))]
                for _ in range(rounds)]
        for at, what in ((0, "upload into pieces"), (2, "download from a reader")):
            (ours, ours_s), (theirs, theirs_s) = (
                [statistics.median(run[at + i][n] for run in runs) for n in (0, 1)]
                for i in (0, 1))
            print(f"{what}, {mib} MiB: {ours:.0f} MiB/s and {ours_s:.2f} s a GiB, a bare socket "
                  f"{theirs:.0f} MiB/s and {theirs_s:.2f} s, ratio "
                  f"{statistics.median(run[at][0] / run[at + 1][0] for run in runs):.2f}; "
                  f"{memory_mib(server.pid):.0f} MiB resident")
        hold_streams(server, port, streams)
        server.stdin.close()
    peer.terminate()


if __name__ == "__main__":
    main()
