# SPDX-License-Identifier: Apache-2.0
"""The event log, its feed and its relay on PostgreSQL, whatever its transactions are by default;
and relays that are killed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from postgres_server import Cluster, wait_for
from relays import kill, kill_again_and_again, left, read_as_told

BUILD = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract"
QUICK = {"fsync": "off"}


@pytest.fixture(scope="module")
def server():
    with Cluster() as cluster:
        yield cluster.start("server", QUICK)


def run(program, *arguments):
    done = subprocess.run([BUILD / program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
@pytest.mark.parametrize("suite", ["event_log_contract", "event_feed_contract",
                                   "event_relay_contract"])
def test_suite_on_postgres(server, suite, isolation):
    server.query(f"ALTER SYSTEM SET default_transaction_isolation = '{isolation}'")
    server.query("SELECT pg_reload_conf()")
    run(suite, server.url)


def moved(path):
    """What a file got; a line that a kill cut off is none."""
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_killed_relays_lose_and_reorder_nothing(server, tmp_path, engine):
    url = f"sqlite:{tmp_path}/events.db"
    if engine == "postgres":
        server.query("CREATE DATABASE relays")
        url = server.url.rsplit("/", 1)[0] + "/relays"
    users, moving = kill_again_and_again(url, f"file:{tmp_path}/moved", 10000, 12)
    wait_for(lambda: left(url) == 0, 60, "not all was relayed")
    for process in moving:
        kill(process)
    assert sum(users.values()) == 10000
    assert read_as_told(moved(tmp_path / "moved")) == users
