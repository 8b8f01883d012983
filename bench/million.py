#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long signing in looks for an account among a thousand users and among a million.

    bench/million.py [USERS [LOOK-UPS]]

The rows are real ones: sealed under keys of their own by the service's own code, on SQLite. On
PostgreSQL they are copied from there, which takes a fraction of the time. Each look-up hashes an
address, finds its user, reads the row and opens it.
"""

import contextlib
import os
import sqlite3
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
TABLES = ("user_service_key", "user_key", "user_account", "user_email")


def run(program, *arguments, **environment):
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("IMAGESYNC_")}
    done = subprocess.run([ROOT / "build" / program, *map(str, arguments)], text=True,
                          stdout=subprocess.PIPE, check=True,
                          env={**inherited, **{f"IMAGESYNC_{name.upper()}": str(value)
                                               for name, value in environment.items()}})
    return done.stdout


def look(n, lookups, settings):
    """(median, 99th percentile) in microseconds; once more before, to warm up."""
    for _ in range(2):
        out = run("src/app/users_bench", "look", n, lookups, **settings)
    return tuple(map(int, out.split()))


def text_of(value):
    return r"\N" if value is None else r"\\x" + value.hex() if isinstance(value, bytes) else str(value)


def copy(database, url, table, first, last):
    """The rows of that table which are numbered so, by COPY."""
    with subprocess.Popen([BINARIES / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c",
                           f"COPY {table} FROM STDIN"], stdin=subprocess.PIPE, text=True) as psql:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for row in database.execute(f"SELECT {', '.join(columns)} FROM {table} "
                                    "ORDER BY rowid LIMIT ? OFFSET ?", (last - first, first)):
            psql.stdin.write("\t".join(map(text_of, row)) + "\n")
        psql.stdin.close()
    if psql.wait() != 0:
        raise RuntimeError(f"{table} was not copied")


def report(engine, users, few, many):
    times = many[0] / few[0]
    print(f"{engine}: look-up among {FEW} users {few[0]} us (99 %: {few[1]}), among {users} "
          f"{many[0]} us (99 %: {many[1]}), {times:.2f} times{asked.at_most(times, 1.5)}; load "
          f"{os.getloadavg()[0]:.1f}", flush=True)


def on_sqlite(settings, users, lookups):
    run("imagesync", "migrate", "up", **settings)
    run("src/app/users_bench", "fill", 0, FEW, **settings)
    few = look(FEW, lookups, settings)
    start = time.monotonic()
    run("src/app/users_bench", "fill", FEW, users, **settings)
    print(f"sqlite: {users - FEW} accounts added in {time.monotonic() - start:.0f} s", flush=True)
    report("sqlite", users, few, look(users, lookups, settings))


def on_postgres(source, settings, users, lookups):
    with (Cluster() as cluster, contextlib.closing(sqlite3.connect(source)) as database):
        url = cluster.start("million", {"fsync": "off", "max_wal_size": "4GB"}).url
        settings = {**settings, "database": url}
        run("imagesync", "migrate", "up", **settings)
        for table in TABLES:
            copy(database, url, table, 0, FEW)
        few = look(FEW, lookups, settings)
        for table in TABLES[1:]:
            copy(database, url, table, FEW, users)
        subprocess.run([BINARIES / "psql", "-Xq", "-d", url, "-c", "ANALYZE"], check=True)
        report("postgresql", users, few, look(users, lookups, settings))


def main():
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lookups = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = {"data": folder}
        on_sqlite(settings, users, lookups)
        on_postgres(Path(folder) / "imagesync.db", settings, users, lookups)


if __name__ == "__main__":
    main()
