# SPDX-License-Identifier: Apache-2.0
"""Real servers beneath the binary: PostgreSQL and Redis of this test run, on 127.0.0.1."""

import contextlib
import shutil
import socket
import subprocess
import sys

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import Cluster, ending_with_us, free_port, wait_for  # noqa: E402


@contextlib.contextmanager
def redis_server(folder):
    """The address of a Redis that keeps nothing."""
    port = free_port()
    with open(folder / "redis.log", "wb") as log:
        process = subprocess.Popen(
            ending_with_us([shutil.which("redis-server"), "--bind", "127.0.0.1", "--port", port,
                            "--save", "", "--appendonly", "no", "--dir", folder]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as to:
                to.sendall(b"PING\r\n")
                return to.recv(64).startswith(b"+PONG")
            return False

        wait_for(answers, 30, "redis-server does not answer")
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def embedded(folder):
    """Nothing but the binary itself."""
    del folder
    yield {}


@contextlib.contextmanager
def servers(folder):
    """PostgreSQL and Redis, as settings of the binary."""
    with Cluster() as cluster, redis_server(folder) as cache:
        database = cluster.start("server", {"fsync": "off"})
        yield {"database": database.url, "cache": cache, "migrate_on_start": "yes"}
