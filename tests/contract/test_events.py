# SPDX-License-Identifier: Apache-2.0
"""The event log and its feed on PostgreSQL, whatever its transactions are by default."""

import os
import subprocess
from pathlib import Path

import pytest

from postgres_server import Cluster

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
