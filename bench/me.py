#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An authenticated GET /v1/me beside what libmicrohttpd answers with a constant, in turns.

    bench/me.py [ROUNDS [SECONDS]]

Same machine, same load (wrk), same number of threads; ours checks the session, logs a line a
request and counts it. The median of the rounds' ratios counts. Beside it stands the ratio of
requests by a second of the servers' own processor time, which neighbours on the machine hardly change.
"""

import contextlib
import os
import statistics
import subprocess
import sys

import asked
from user_server import ROOT, Person, memory_mib, processor_s, user_server, wrk

CONNECTIONS = 64
THREADS = 2  # of ours, as it comes; and of the peer


@contextlib.contextmanager
def constant_server():
    process = subprocess.Popen([ROOT / "build" / "bench" / "constant_server", str(THREADS)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/", process.pid
        process.stdin.close()


def measure(url, pid, seconds, token):
    """(requests/s, 99th percentile in ms, requests by second of the server's processor time)."""
    before = processor_s(pid)
    rate, late_ms = wrk(url, seconds, CONNECTIONS, token)
    return rate, late_ms, rate * seconds / (processor_s(pid) - before)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    ours, theirs = [], []
    with user_server(http_threads=THREADS) as server, constant_server() as constant:
        token = Person(server).http.headers["Authorization"].removeprefix("Bearer ")
        wrk(server.url + "/v1/me", 1, CONNECTIONS, token)
        for _ in range(rounds):
            theirs.append(measure(*constant, seconds, token))
            ours.append(measure(server.url + "/v1/me", server.process.pid, seconds, token))
        ratios = [own[0] / their[0] for own, their in zip(ours, theirs)]
        by_processor = statistics.median(own[2] / their[2] for own, their in zip(ours, theirs))
        print(f"GET /v1/me: {statistics.median(o[0] for o in ours):.0f}/s (99 % within "
              f"{statistics.median(o[1] for o in ours):.1f} ms), libmicrohttpd with a constant "
              f"{statistics.median(t[0] for t in theirs):.0f}/s, ratio "
              f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
              f"{asked.at_least(statistics.median(ratios), 0.6)}, by processor time "
              f"{by_processor:.2f}; {memory_mib(server):.0f} MiB resident, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
