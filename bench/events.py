#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The event log on SQLite and PostgreSQL, on this machine's disk: events a second, appended and relayed.

Each event is durable before its writer goes on. Prints a Markdown table. PostgreSQL and Kafka are
started here, with fsync, and ended again; Kafka when --kafka is given, as it takes Java and Maven.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests" / "contract"), str(ROOT / "tests" / "kafka")]

from postgres_server import Cluster  # noqa: E402

PROGRAM = ROOT / "build" / "bench" / "event_bench"
PARTITIONS = 16


def measure(name, url, events, threads, kafka):
    to = []
    if kafka:
        prefix = f"bench-{uuid.uuid4().hex[:8]}"
        kafka.make_topic(f"{prefix}.bench", PARTITIONS)
        to = [f"kafka://{kafka.servers}/{prefix}"]
    done = subprocess.run([PROGRAM, url, str(threads), str(events), *to], capture_output=True,
                          text=True, check=False)
    print(f"| {name} | {threads} | {done.stdout.strip() or done.stderr.strip()} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10000)
    parser.add_argument("--threads", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--kafka", action="store_true")
    arguments = parser.parse_args()

    subprocess.run(["ninja", "-C", ROOT / "build", "--quiet", "bench/event_bench"], check=True)
    with contextlib.ExitStack() as stack:
        kafka = None
        if arguments.kafka:
            from kafka_server import Kafka
            kafka = stack.enter_context(Kafka())
        cluster = stack.enter_context(Cluster())
        server = cluster.start("server", {"max_connections": 100})
        print("| log | writers | |\n|---|---|---|")
        for threads in arguments.threads:
            with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
                measure("SQLite", f"sqlite:{folder}/events.db", arguments.events, threads, kafka)
            server.query(f"CREATE DATABASE bench{threads}")
            measure("PostgreSQL", server.url.rsplit("/", 1)[0] + f"/bench{threads}",
                    arguments.events, threads, kafka)


if __name__ == "__main__":
    main()
