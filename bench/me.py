#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An authenticated GET /v1/me beside what libmicrohttpd answers with a constant, in turns.

    bench/me.py [ROUNDS [SECONDS]]

Same machine, same load (wrk), same number of threads; ours checks the session, logs a line a
request and counts it. The median of the rounds' ratios counts.
"""

import contextlib
import os
import statistics
import subprocess
import sys

import asked
from user_server import ROOT, Person, memory_mib, user_server, wrk

CONNECTIONS = 64
THREADS = 2  # of ours, as it comes; and of the peer


@contextlib.contextmanager
def constant_server():
    process = subprocess.Popen([ROOT / "build" / "bench" / "constant_server", str(THREADS)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        process.stdin.close()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    ratios, ours, theirs = [], [], []
    with user_server(http_threads=THREADS) as server, constant_server() as constant:
        token = Person(server).http.headers["Authorization"].removeprefix("Bearer ")
        wrk(server.url + "/v1/me", 1, CONNECTIONS, token)
        for _ in range(rounds):
            theirs.append(wrk(constant, seconds, CONNECTIONS, token))
            ours.append(wrk(server.url + "/v1/me", seconds, CONNECTIONS, token))
            ratios.append(ours[-1][0] / theirs[-1][0])
        print(f"GET /v1/me: {statistics.median(o[0] for o in ours):.0f}/s (99 % within "
              f"{statistics.median(o[1] for o in ours):.1f} ms), libmicrohttpd with a constant "
              f"{statistics.median(t[0] for t in theirs):.0f}/s, ratio "
              f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
              f"{asked.at_least(statistics.median(ratios), 0.6)}; {memory_mib(server):.0f} MiB "
              f"resident, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
