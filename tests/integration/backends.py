# SPDX-License-Identifier: Apache-2.0
"""What the binary runs on: nothing else, or PostgreSQL and Redis of this test run, on 127.0.0.1,
perhaps with RabbitMQ and S3 besides; as one process, or as its user, image and sync part behind
nginx."""

import contextlib
import hashlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys

from harness import KEY, ROOT, Server
from stores import stores

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import (  # noqa: E402
    BINARIES, Cluster, ending_with_us, free_port, psql, wait_for)


@contextlib.contextmanager
def redis_server(folder, processes=None):
    """The address of a Redis that keeps nothing; its process is added to `processes`."""
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
        if processes is not None:
            processes.append(process)
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
def servers(folder, processes=None):
    """PostgreSQL and Redis, as settings of the binary."""
    with Cluster() as cluster, redis_server(folder, processes) as cache:
        database = cluster.start("server", {"fsync": "off"})
        yield {"database": database.url, "cache": cache, "migrate_on_start": "yes"}


# The proxy calls from an address of its own, so that what comes from 127.0.0.1 is not believed.
PROXY_ADDRESS = "127.0.0.2"


def free_address():
    return f"127.0.0.1:{free_port()}"


class Proxy:
    """nginx with the configuration that deploy/dev brings."""

    def __init__(self, folder, user, image, sync):
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        text = (ROOT / "deploy" / "dev" / "nginx.conf").read_text()
        for word, value in {"FOLDER": folder, "PORT": self.port, "USER": user, "IMAGE": image,
                            "SYNC": sync, "FROM": PROXY_ADDRESS}.items():
            text = text.replace(f"@{word}@", str(value))
        (folder / "nginx.conf").write_text(text)
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ending_with_us([shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-p", folder,
                                "-c", folder / "nginx.conf"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, 30, "nginx does not answer")

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class SplitServer(Server):
    """The parts as processes that share nothing but a key, a Redis and, without the image part, a
    database."""

    def __init__(self, folder, keys=KEY, services=None, **settings):
        del services  # each part has its own
        folder.mkdir(parents=True)
        self.folder = folder
        addresses = [free_address() for _ in range(3)]
        self.proxy = Proxy(folder / "proxy", *addresses)
        self.port = self.proxy.port
        self.url = f"http://127.0.0.1:{self.port}"
        common = {"trusted_proxies": PROXY_ADDRESS, "public_url": self.url, **settings}
        elsewhere = {name: value for name, value in common.items()
                     if name not in ("migrate_on_start", "master_key")}
        alone = {name: value for name, value in elsewhere.items()
                 if name not in ("database", "db_replicas")}
        self.user = self.image = self.sync = None
        try:
            self.user = Server(folder / "user", "", addresses[0], services="user,worker", **common)
            self.image = Server(folder / "image", keys, addresses[1], services="image",
                                user_service=self.user.url,
                                service_key=self.user.data / "service.key", **alone)
            self.sync = Server(folder / "sync", "", addresses[2], services="sync,worker",
                               user_service=self.user.url,
                               service_key=self.user.data / "service.key", **elsewhere)
        except BaseException:
            self.stop()
            raise
        # Where tests look for what any of them keeps.
        self.data, self.environment = self.user.data, self.user.environment
        (self.data / "improve").symlink_to(self.image.data / "improve")

    @property
    def process(self):
        return self.user.process

    @property
    def blobs(self):
        return self.sync.blobs

    def parts(self):
        return [part for part in (self.user, self.image, self.sync) if part]

    def start(self):
        for part in self.parts():
            part.start()

    def kill(self):
        for part in reversed(self.parts()):
            part.kill()

    def stop(self):
        statuses = [part.stop() for part in reversed(self.parts())]
        return max(statuses, default=0)

    def close(self):
        self.stop()
        self.proxy.stop()

    def alive(self):
        return all(part.alive() for part in self.parts())

    def log_text(self):
        return "".join(part.log_text() for part in self.parts())

    def memory_peaks(self):
        return self.image.memory_peaks()

    def metric(self, line_start):
        return sum(part.metric(line_start) for part in self.parts())


NAMES = ("embedded", "servers", "split", "stores")


@contextlib.contextmanager
def running(name, folder, keys=KEY, **settings):
    """A server on the back end of that name, which it has as `backend`."""
    processes = []
    with contextlib.ExitStack() as stack:
        settings.update(stack.enter_context(
            embedded(folder) if name == "embedded" else servers(folder, processes)))
        if name == "stores":
            settings.update(stack.enter_context(stores()))
        server = (SplitServer if name == "split" else Server)(folder / "server", keys, **settings)
        server.backend = name
        server.redis = processes[0] if processes else None
        server.embedded = name == "embedded"
        stack.callback(getattr(server, "close", server.stop))
        yield server


def rows(server, sql):
    """What a statement gives on the server's database: whole numbers as such, the rest as text."""
    url = server.environment.get("IMAGESYNC_DATABASE", "")
    if not url.startswith("postgresql"):
        with contextlib.closing(sqlite3.connect(server.data / "imagesync.db")) as database:
            with database:
                return database.execute(sql).fetchall()
    return [tuple(int(value) if re.fullmatch(r"-?\d+", value) else value for value in row)
            for row in psql(url, sql)]


def stored(server):
    """All bytes that its database keeps, with a name for each piece."""
    url = server.environment.get("IMAGESYNC_DATABASE", "")
    if not url.startswith("postgresql"):
        return {path.name: path.read_bytes() for path in server.data.glob("imagesync.db*")}
    dump = subprocess.run([BINARIES / "pg_dump", "-d", url], capture_output=True, check=True,
                          timeout=60).stdout
    blobs = b" ".join(bytes.fromhex(text.decode())
                      for text in re.findall(rb"\\\\x([0-9a-f]*)", dump))
    return {"dump": dump, "blobs": blobs}


def tables():
    """Each table that a migration makes, with its columns."""
    text = "".join(path.read_text() for path in sorted((ROOT / "db" / "migrations").glob("*.sql")))
    text = re.sub(r"--.*", "", text)
    found = {}
    for name, body in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", text, re.S):
        found[name] = re.findall(r"^    ([a-z_]+) [A-Z]", body, re.M)
    assert len(found) > 15
    return found


def kept(server):
    """A digest of each table, without what is noted of reading alone."""
    marks = {}
    for table, columns in tables().items():
        names = [name for name in columns if name not in ("seen_us", "used_us", "polled_us")]
        found = rows(server, f"SELECT {', '.join(names)} FROM {table} ORDER BY {names[0]}, {names[-1]}")
        marks[table] = hashlib.sha256(repr(sorted(map(repr, found))).encode()).hexdigest()
    return marks
