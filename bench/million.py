#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long signing in looks for an account among a thousand users and among a million.

    bench/million.py [USERS [LOOK-UPS]]

The rows are real ones: sealed under keys of their own by the service's own code, on SQLite. On
PostgreSQL they are copied from there, which takes a fraction of the time. Each look-up hashes an
address, finds its user, reads the row and opens it. Both databases are asked in turns. A tree with
a thousand times the entries is twice as high, so some growth there must be; what counts is how much
longer signing in takes by it, most of which is Argon2id.
"""

import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asked
from user_server import ROOT

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import BINARIES, Cluster  # noqa: E402

FEW = 1000
ROUNDS = 3
FLAT = 0.01  # of what hashing a password takes: whoever signs in does not notice
TABLES = ("user_service_key", "user_key", "user_account", "user_email")


def run(program, *arguments, **environment):
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("IMAGESYNC_")}
    done = subprocess.run([ROOT / "build" / program, *map(str, arguments)], text=True,
                          stdout=subprocess.PIPE, check=True,
                          env={**inherited, **{f"IMAGESYNC_{name.upper()}": str(value)
                                               for name, value in environment.items()}})
    return done.stdout


def hash_us():
    """What verifying a password takes with the settings as they come."""
    return 1e6 / float(run("bench/password_bench", 1, 1, 2, 32).split()[1])


def compare(engine, users, few, many, lookups):
    """Looks up in both in turns, after once for warming up; `few` and `many` are settings."""
    runs = []
    for _ in range(ROUNDS + 1):
        runs.append([tuple(map(int, run("src/app/users_bench", "look", n, lookups, **settings)
                               .split())) for n, settings in ((FEW, few), (users, many))])
    small, large = (tuple(map(statistics.median, zip(*side))) for side in zip(*runs[1:]))
    growth = (large[0] - small[0]) / hash_us()
    times = statistics.median(pair[1][0] / pair[0][0] for pair in runs[1:])
    print(f"{engine}: look-up among {FEW} users {small[0]:.0f} us (99 % within {small[1]:.0f}), "
          f"among {users} {large[0]:.0f} us (99 % within {large[1]:.0f}), {times:.2f} times; that "
          f"is {growth:.4f} of a hash more{asked.at_most(growth, FLAT)}; load {os.getloadavg()[0]:.1f}", flush=True)


def text_of(value):
    return r"\N" if value is None else r"\\x" + value.hex() if isinstance(value, bytes) else str(value)


def copy(database, url, table):
    """All rows of that table."""
    with subprocess.Popen([BINARIES / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c",
                           f"COPY {table} FROM STDIN"], stdin=subprocess.PIPE, text=True) as psql:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for row in database.execute(f"SELECT {', '.join(columns)} FROM {table}"):
            psql.stdin.write("\t".join(map(text_of, row)) + "\n")
        psql.stdin.close()
    if psql.wait() != 0:
        raise RuntimeError(f"{table} was not copied")


def on_sqlite(folder, users, lookups):
    """Gives the two folders' settings."""
    settings = []
    for name, n in (("few", FEW), ("many", users)):
        settings.append({"data": folder / name})
        (folder / name).mkdir()
        run("imagesync", "migrate", "up", **settings[-1])
        start = time.monotonic()
        run("src/app/users_bench", "fill", 0, n, **settings[-1])
        print(f"sqlite: {n} accounts added in {time.monotonic() - start:.0f} s", flush=True)
    compare("sqlite", users, *settings, lookups)
    return settings


def on_postgres(sources, users, lookups):
    with Cluster() as cluster:
        settings = []
        for source in sources:
            server = cluster.start(source["data"].name, {"fsync": "off", "max_wal_size": "4GB"})
            settings.append({**source, "database": server.url})
            run("imagesync", "migrate", "up", **settings[-1])
            with contextlib.closing(sqlite3.connect(source["data"] / "imagesync.db")) as database:
                for table in TABLES:
                    copy(database, server.url, table)
            server.query("ANALYZE")
        compare("postgresql", users, *settings, lookups)


def main():
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lookups = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        on_postgres(on_sqlite(Path(folder), users, lookups), users, lookups)


if __name__ == "__main__":
    main()
