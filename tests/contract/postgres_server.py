# SPDX-License-Identifier: Apache-2.0
"""Throw-away PostgreSQL servers on free ports of 127.0.0.1, from Debian's binaries.

    with Cluster() as cluster:
        primary = cluster.start("primary", {"default_transaction_isolation": "serializable"})
        replica = cluster.follow("replica", primary)
        primary.url, primary.query("SELECT 1")

They end with the `with` block, and with this process whatever ends it.
"""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
# A standby refuses SERIALIZABLE, which may be the default of the server.
ON_STANDBYS_TOO = r"-c default_transaction_isolation=read\ committed"
START_S = 60
STOP_S = 30
PORTS = random.SystemRandom()
TAKEN = []  # sockets whose names say which ports are ours, until this process ends


def free_port():
    """A port that nobody listens on, from below those that the system gives by itself: nobody
    who connects, or listens on port 0, gets it before the server that it is meant for is up, and
    no other process of the tests while that server is being started again. Its name among abstract
    sockets (unix(7)) is what tells them, and goes with this process."""
    while True:
        port = PORTS.randrange(10_000, 32_000)
        taken = socket.socket(socket.AF_UNIX)
        try:
            taken.bind(f"\0imagesync-test-port-{port}")
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", port))
        except OSError:
            taken.close()
        else:
            TAKEN.append(taken)
            return port


def wait_for(true, seconds, what):
    """Polls until `true()` holds; raises with `what` when it never does."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def not_root():
    """What makes subprocess run a server as somebody else than root, which it refuses."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


def ending_with_us(command):
    return ["setpriv", "--pdeathsig", "QUIT", *map(str, command)]


def psql(url, sql, check=True):
    """What the statement gives: rows as lists of text."""
    done = subprocess.run([BINARIES / "psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                           "-d", url, "-c", sql],
                          capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "PGOPTIONS": ON_STANDBYS_TOO})
    if check and done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines()]


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.process = None
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, *command):
        subprocess.run(command, check=True, capture_output=True, cwd="/", **not_root())

    def start(self, settings):
        arguments = {"port": self.port, "listen_addresses": "127.0.0.1",
                     "unix_socket_directories": self.folder, "shared_buffers": "32MB",
                     "max_connections": 60, **settings}
        flags = [part for name, value in arguments.items() for part in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ending_with_us([BINARIES / "postgres", "-D", self.data, *flags]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **not_root())
        wait_for(self.ready, START_S, f"{self.folder} does not answer")

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
        return subprocess.run([BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)], check=False).returncode == 0

    def query(self, sql):
        return psql(self.url, sql)

    def value(self, sql):
        return self.query(sql)[0][0]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(3)  # SIGQUIT: at once, nothing needs to be kept
            self.process.wait(STOP_S)


class Cluster:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="imagesync-postgres-"))
        self.servers = []
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.folder)

    def server(self, name):
        folder = self.folder / name
        folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = Server(folder)
        self.servers.append(server)
        return server

    def start(self, name, settings=None):
        server = self.server(name)
        server.run(BINARIES / "initdb", "--no-sync", "--auth=trust", "--username=postgres",
                   "--encoding=UTF8", "--no-locale", "-D", server.data)
        server.start(settings or {})
        return server

    def follow(self, name, primary, settings=None):
        """A streaming replica."""
        server = self.server(name)
        server.run(BINARIES / "pg_basebackup", "--no-sync", "--checkpoint=fast",
                   "--wal-method=stream", "--write-recovery-conf",
                   "-d", primary.url, "-D", server.data)
        server.start(settings or {})
        return server
