#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sign-ins beside bare Argon2id with the same parameters, and what they do to other requests.

    bench/sign_in.py [ROUNDS [SECONDS]]

In turns: bare hashing on as many threads as the server hashes at a time; then a flood of sign-ins
by sixteen clients. Meanwhile two clients ask for what is answered from memory (GET /v1/me) and what
is read from the database (GET /v1/sessions), whose latency is set beside the idle server's.
"""

import concurrent.futures
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import asked
from user_server import ROOT, Person, memory_mib, processor_s, user_server, wrk

OPS, MEMORY_MIB, PARALLEL = 2, 32, 2  # as they come
CLIENTS, PEOPLE = 16, 16

FLOOD = """
local bodies, at = {%s}, 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
    at = at %% #bodies + 1
    return wrk.format(nil, nil, nil, bodies[at])
end
"""


def bare(seconds):
    out = subprocess.run([ROOT / "build" / "bench" / "password_bench", *map(
        str, (PARALLEL, seconds, OPS, MEMORY_MIB))], check=True, capture_output=True, text=True)
    return map(float, out.stdout.split())


def script(folder, people):
    bodies = ", ".join(f"'{{\"email\":\"{person.address}\",\"password\":\"{person.password}\","
                       f"\"cookie\":false}}'" for person in people)
    path = Path(folder) / "flood.lua"
    path.write_text(FLOOD % bodies)
    return path


class Watch:
    """The most that the server has had resident while it was looked at."""

    def __init__(self, server):
        self.server, self.most, self.end = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.end.wait(0.1):
            self.most = max(self.most, memory_mib(self.server))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    ratios, by_processor, rates, idle, busy = [], [], [], {}, {}
    with (tempfile.TemporaryDirectory() as folder,
          user_server(password_ops=OPS, password_memory_mib=MEMORY_MIB, password_parallel=PARALLEL,
                      attempts_per_address=1000000) as server,
          concurrent.futures.ThreadPoolExecutor() as pool, Watch(server) as watch):
        people = [Person(server) for _ in range(PEOPLE)]
        token = people[0].http.headers["Authorization"].removeprefix("Bearer ")
        flood = script(folder, people[1:])

        def sign_ins():
            return wrk(server.url + "/v1/sessions", seconds, CLIENTS, script=flood)[0]

        for _ in range(rounds):
            hashes, hashes_by_processor = bare(seconds)
            before_s = processor_s(server.process.pid)
            rates.append(sign_ins())
            ratios.append(rates[-1] / hashes)
            used_s = processor_s(server.process.pid) - before_s
            by_processor.append(rates[-1] * seconds / used_s / hashes_by_processor)
            for path in ("/v1/me", "/v1/sessions"):
                idle.setdefault(path, []).append(wrk(server.url + path, seconds, 2, token)[1])
                future = pool.submit(sign_ins)
                busy.setdefault(path, []).append(wrk(server.url + path, seconds, 2, token)[1])
                future.result()
        ratio = statistics.median(ratios)
        print(f"sign-ins: {statistics.median(rates):.1f}/s, of bare Argon2id ({OPS} passes, "
              f"{MEMORY_MIB} MiB, {PARALLEL} at a time) {ratio:.3f}{asked.at_least(ratio, 0.9)}, by processor time "
              f"{statistics.median(by_processor):.3f}; {watch.most:.0f} MiB resident at most, load {os.getloadavg()[0]:.1f}")
        for path in idle:
            before, beside = statistics.median(idle[path]), statistics.median(busy[path])
            print(f"GET {path}: 99 % within {before:.2f} ms, beside a flood of sign-ins within "
                  f"{beside:.2f} ms ({beside / before:.1f} times)")


if __name__ == "__main__":
    main()
