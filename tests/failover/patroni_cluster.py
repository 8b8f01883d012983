# SPDX-License-Identifier: Apache-2.0
"""Three PostgreSQL nodes under Patroni 3 with one etcd 3.4, from Debian's packages."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from postgres_server import BINARIES, ending_with_us, free_port, not_root, psql, wait_for

TTL_S = 20  # Patroni takes no less
LOOP_S = 3
START_S = 120


def configuration(node, etcd_port):
    """A node's; JSON is YAML too. A write is acknowledged when a second node has it on disk."""
    access = ["local all all trust", "host all all 127.0.0.1/32 trust",
              "host replication all 127.0.0.1/32 trust"]
    return {
        "scope": "imagesync", "name": node.name,
        "restapi": {"listen": f"127.0.0.1:{node.rest_port}",
                    "connect_address": f"127.0.0.1:{node.rest_port}"},
        "etcd3": {"host": f"127.0.0.1:{etcd_port}"},
        "bootstrap": {
            "dcs": {"ttl": TTL_S, "loop_wait": LOOP_S, "retry_timeout": 5,
                    "maximum_lag_on_failover": 1048576, "synchronous_mode": True,
                    "postgresql": {"parameters": {"max_connections": 60}}},
            "initdb": [{"encoding": "UTF8"}, "no-sync", {"locale": "C"}],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{node.port}", "connect_address": f"127.0.0.1:{node.port}",
            "data_dir": str(node.folder / "data"), "bin_dir": str(BINARIES),
            "pgpass": str(node.folder / "pgpass"), "pg_hba": access,
            "authentication": {"superuser": {"username": "postgres"},
                               "replication": {"username": "replicator"}},
            "parameters": {"unix_socket_directories": str(node.folder),
                           "shared_buffers": "32MB", "fsync": "off"},
            "create_replica_methods": ["basebackup"],
            "basebackup": [{"checkpoint": "fast"}, "no-sync"],
        },
    }


class Node:
    def __init__(self, folder, name):
        self.folder = folder / name
        self.name = name
        self.port, self.rest_port = free_port(), free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.patroni = None

    def status(self):
        """Patroni's, {} when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/patroni",
                                        timeout=5) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return {}

    def is_leader(self):
        status = self.status()
        return status.get("role") == "master" and status.get("state") == "running"

    def is_replica(self):
        status = self.status()
        return status.get("role") == "replica" and status.get("state") == "running"

    def kill(self):
        """Patroni and the database at once and without a word, as a machine that fails."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        self.patroni.send_signal(signal.SIGKILL)
        os.kill(postmaster, signal.SIGKILL)
        self.patroni.wait()

    def stop(self):
        if self.patroni and self.patroni.poll() is None:
            self.patroni.terminate()  # it stops its database too
            try:
                self.patroni.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


class PatroniCluster:
    def __init__(self, n_nodes=3):
        self.folder = Path(tempfile.mkdtemp(prefix="imagesync-patroni-"))
        self.nodes = [Node(self.folder, f"node{i}") for i in range(n_nodes)]
        self.etcd_port, self.etcd = free_port(), None
        for folder in [self.folder, self.folder / "etcd", *(node.folder for node in self.nodes)]:
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            if os.getuid() == 0:
                shutil.chown(folder, "postgres", "postgres")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.stop()
        if self.etcd:
            self.etcd.kill()
            self.etcd.wait()
        shutil.rmtree(self.folder)

    def spawn(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(ending_with_us(command), stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, cwd="/", **not_root(),
                                    env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder)})

    def start(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{free_port()}"
        self.etcd = self.spawn(
            "etcd", "/usr/bin/etcd", "--data-dir", self.folder / "etcd", "--name", "one",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}", "--unsafe-no-fsync")
        for node in self.nodes:
            (node.folder / "patroni.json").write_text(
                json.dumps(configuration(node, self.etcd_port)))
            self.start_node(node)
        wait_for(lambda: self.leader() and all(
            node.is_leader() or node.is_replica() for node in self.nodes), START_S,
                 "no cluster came up")
        wait_for(lambda: self.n_synchronous() > 0, START_S, "no synchronous standby")

    def start_node(self, node):
        node.patroni = self.spawn(node.name, "/usr/bin/patroni", node.folder / "patroni.json")

    def leader(self):
        return next((node for node in self.nodes if node.is_leader()), None)

    def n_synchronous(self):
        rows = psql(self.leader().url, "SELECT count(*) FROM pg_stat_replication"
                    " WHERE sync_state = 'sync'", check=False)
        return int(rows[0][0]) if rows else 0

    def url(self):
        """Of whichever takes writes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://postgres@{hosts}/postgres"
