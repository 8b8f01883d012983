# SPDX-License-Identifier: Apache-2.0
"""A throw-away RabbitMQ on free ports of 127.0.0.1, from Debian's package.

    with Broker() as broker:
        broker.url
        broker.tls_url()  # for 127.0.0.1, by broker.authority, and so must clients be
        broker.kill(); broker.start()  # what was confirmed is there again
        with broker.host("other") as url: ...  # queues of its own

It ends with the `with` block, and with this process whatever ends it.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from certificates import Authority
from postgres_server import free_port, wait_for

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
START_S = 120
# For a machine that does other things too; and little said.
CONFIG = """
listeners.tcp.local = 127.0.0.1:{port}
listeners.ssl.local = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {authority}
ssl_options.certfile = {chain}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
log.file.level = warning
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
"""


def ending_with_us(command):
    return ["setpriv", "--pdeathsig", "KILL", *map(str, command)]


class Broker:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="imagesync-rabbitmq-"))
        self.port, self.tls_port, self.epmd_port = free_port(), free_port(), free_port()
        self.authority = Authority(self.folder / "tls")
        self.pair = self.authority.issue("rabbitmq", hosts=["127.0.0.1"])
        self.processes = {}
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        (self.folder / "rabbitmq.conf").write_text(CONFIG.format(
            port=self.port, tls_port=self.tls_port, authority=self.authority.file,
            chain=self.pair.chain, key=self.pair.key))
        (self.folder / "plugins").write_text("[].\n")
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.epmd_port),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "config"),
            # Nothing between us and the server, so that it ends with us.
            "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def run(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                ending_with_us(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env=self.environment())

    def start(self):
        if "epmd" not in self.processes:
            self.run("epmd", "epmd", "-port", self.epmd_port)
        self.run("server", SERVER)
        wait_for(self.ready, START_S, f"RabbitMQ does not answer; see {self.folder}")

    def kill(self):
        """As if its machine had lost power, but for what the kernel had not written yet."""
        self.processes["server"].kill()
        self.processes["server"].wait()

    def control(self, *words):
        environment = self.environment()
        subprocess.run([CONTROL, "-q", "-n", environment["RABBITMQ_NODENAME"], *words], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=START_S,
                       cwd=self.folder, env=environment)

    @contextlib.contextmanager
    def host(self, name):
        """The address of a virtual host, which goes with its queues."""
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        try:
            yield self.url + name
        finally:
            self.control("delete_vhost", name)

    def tls_url(self, host="127.0.0.1", password="guest"):
        return f"amqps://guest:{password}@{host}:{self.tls_port}/"

    def wait_for_registry(self, since):
        """Until it has written down which quorum queues there are. One that was made just before a
        kill -9 may be gone after it, with what was confirmed (seen with 3.10.8 on one node)."""
        names = next(self.folder.glob("data/*/quorum/*/names.dets"))
        wait_for(lambda: names.stat().st_mtime > since, START_S, f"{names} is not written")

    def ready(self):
        if self.processes["server"].poll() is not None:
            raise RuntimeError((self.folder / "server.log").read_text(errors="replace")[-2000:])
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"AMQP\0\0\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False
