#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs a second through the queue on SQLite, PostgreSQL and RabbitMQ, on this machine's disk.

Each job is put (durable before its putter goes on), taken and done. Prints a Markdown table.
PostgreSQL and RabbitMQ are started here, with fsync, and ended again.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import Cluster  # noqa: E402
from rabbitmq_server import Broker  # noqa: E402

PROGRAM = ROOT / "build" / "bench" / "queue_bench"


def measure(name, url, jobs, threads):
    for n in threads:
        done = subprocess.run([PROGRAM, url, str(n), str(jobs)], capture_output=True, text=True,
                              check=False)
        print(f"| {name} | {n} + {n} | {done.stdout.strip() or done.stderr.strip()} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--threads", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--only", choices=["sqlite", "postgres", "rabbitmq"])
    arguments = parser.parse_args()

    subprocess.run(["ninja", "-C", ROOT / "build", "--quiet", "bench/queue_bench"], check=True)
    print("| queue | putters + takers | |\n|---|---|---|")
    if arguments.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            measure("SQLite", f"sqlite:{folder}/queue.db", arguments.jobs, arguments.threads)
    if arguments.only in (None, "postgres"):
        with Cluster() as cluster:
            measure("PostgreSQL", cluster.start("server", {"max_connections": 100}).url,
                    arguments.jobs, arguments.threads)
    if arguments.only in (None, "rabbitmq"):
        with Broker() as broker:
            measure("RabbitMQ", broker.url, arguments.jobs, arguments.threads)


if __name__ == "__main__":
    main()
