# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and Redis by TLS with passwords: whom the server trusts, and what an operator reads who
has to mend something. (S3, RabbitMQ and mail: tests/contract; Kafka: tests/kafka.)"""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from backends import Cluster, ending_with_us, free_port, wait_for
from harness import BINARY, ROOT, Server, descendants, eventually
from people import Person
from test_accounts import CHEAP

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from certificates import Authority  # noqa: E402

# Told from all that is printed anywhere.
PASSWORD = "marker-f3a1c05d"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


class Redis:
    """With TLS alone, and one user, who may use one prefix."""

    def __init__(self, folder, authority, **kind):
        self.folder, self.port, self.process = folder, free_port(), None
        self.authority = authority
        self.start(**kind)

    def want_certificates(self):
        """Of clients, from the same authority; from now on."""
        self.stop()
        self.start(clients="yes")

    def url(self, host="localhost", password=PASSWORD):
        return f"rediss://cache:{password}@{host}:{self.port}/1"

    def start(self, clients="no", **kind):
        pair = self.authority.issue("redis", **kind)
        config = self.folder / "redis.conf"
        config.write_text(
            f"bind 127.0.0.1\nport 0\ntls-port {self.port}\ntls-auth-clients {clients}\nsave \"\"\n"
            f"appendonly no\ndir {self.folder}\ntls-cert-file {pair.chain}\n"
            f"tls-key-file {pair.key}\ntls-ca-cert-file {self.authority.file}\n"
            f"user default off\nuser cache on >{PASSWORD} ~imagesync/* +@all\n")
        with open(self.folder / "redis.log", "wb") as log:
            self.process = subprocess.Popen(
                ending_with_us([shutil.which("redis-server"), config]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.answers, 30, "redis-server does not answer")

    def answers(self):
        context = ssl.create_default_context(cafile=str(self.authority.file))
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = self.authority.issue("tester")
        context.load_cert_chain(client.chain, client.key)
        with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", self.port)) as plain, context.wrap_socket(plain) as to:
            to.sendall(b"PING\r\n")
            return to.recv(64).startswith(b"-NOAUTH")
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def redis(tmp_path, authority):
    server = Redis(tmp_path, authority)
    yield server
    server.stop()


class Postgres:
    def __init__(self, cluster, authority, name, **kind):
        pair = authority.issue("postgres", **kind)
        for path in (pair.chain, pair.key):
            copy = cluster.folder / f"{name}-{path.name}"
            shutil.copy(path, copy)
            copy.chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(copy, "postgres", "postgres")
        files = [cluster.folder / f"{name}-{path.name}" for path in (pair.chain, pair.key)]
        self.server = cluster.start(name, {
            "fsync": "off", "ssl": "on", "ssl_cert_file": files[0], "ssl_key_file": files[1]})
        self.server.query(f"CREATE ROLE images LOGIN CREATEDB PASSWORD '{PASSWORD}'")
        self.n_databases = 0
        hosts = self.server.data / "pg_hba.conf"
        hosts.write_text("local all postgres trust\nhost all postgres 127.0.0.1/32 trust\n"
                         "hostssl all images 127.0.0.1/32 scram-sha-256\n")
        self.server.query("SELECT pg_reload_conf()")

    def url(self, password=PASSWORD):
        """Of a new database."""
        self.n_databases += 1
        self.server.query(f"CREATE DATABASE images{self.n_databases} OWNER images")
        return (f"postgresql://images:{password}@localhost:{self.server.port}/"
                f"images{self.n_databases}?sslmode=verify-full")


@pytest.fixture(scope="module")
def postgres(authority):
    with Cluster() as cluster:
        yield Postgres(cluster, authority, "right")


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(**settings):
        server = Server(tmp_path / f"server-{len(running)}", services="user", log_level="debug",
                        **CHEAP, **settings)
        running.append(server)
        return server
    yield start
    for server in running:
        server.stop()


def complaints(server, name):
    return [line["reason"] for line in server.log()
            if line["event"] == "server cannot be used" and line["server"] == name]


def refused_at_the_start(tmp_path, **settings):
    """What the server says that does not start."""
    with pytest.raises(RuntimeError) as refused:
        Server(tmp_path / "refused", services="user", **settings)
    said = str(refused.value)
    assert PASSWORD not in said
    return said


# Together

def test_all_is_encrypted_and_signed_in(serve, redis, postgres, authority):
    server = serve(trusted_certificates=authority.file, cache=redis.url(), database=postgres.url(),
                   migrate_on_start="yes")
    person = Person(server)
    assert person.call("GET", "/v1/me").status_code == 200
    assert server.metric("imagesync_cache_up") == 1
    assert server.metric("imagesync_cache_hits_total") > 0
    used = postgres.server.query("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity "
                                 "USING (pid) WHERE usename = 'images'")
    assert used == [["t"]]
    assert complaints(server, "redis") == complaints(server, "postgresql") == []


def test_passwords_are_told_to_nobody(serve, redis, postgres, authority):
    settings = {"trusted_certificates": authority.file, "cache": redis.url(),
                "database": postgres.url(), "migrate_on_start": "yes"}
    server = serve(**settings)
    Person(server)
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/comm").read_bytes()
    printed = subprocess.run([BINARY, "config"], env=server.environment, capture_output=True,
                             text=True, check=True, timeout=60).stdout
    assert "trusted-certificates" in printed and PASSWORD not in printed
    server.stop()
    assert PASSWORD not in server.log_text()


# Redis

@pytest.mark.parametrize("kind,word", [
    ({"expired": True}, "expired"),
    ({"hosts": ["127.0.0.1", "cache.example.org"]}, "another host name"),
], ids=["expired", "name"])
def test_a_redis_with_a_wrong_certificate_is_done_without(serve, tmp_path, authority, kind, word):
    redis = Redis(tmp_path, authority, **kind)
    try:
        server = serve(trusted_certificates=authority.file, cache=redis.url())
        assert eventually(lambda: complaints(server, "redis"))
        assert word in complaints(server, "redis")[0]
        assert server.metric("imagesync_cache_up") == 0
        Person(server)  # goes on without
        redis.stop()
        redis.start()
        assert eventually(lambda: server.metric("imagesync_cache_up") == 1)
        assert len(complaints(server, "redis")) == 1
        assert eventually(lambda: "server can be used again" in server.log_text())
    finally:
        redis.stop()


def test_a_redis_of_a_stranger_is_done_without(serve, tmp_path, redis, authority, stranger):
    trusted = tmp_path / "trusted.pem"
    shutil.copy(stranger.file, trusted)
    server = serve(trusted_certificates=trusted, cache=redis.url("127.0.0.1"))
    assert eventually(lambda: complaints(server, "redis"))
    assert "trusted-certificates" in complaints(server, "redis")[0]
    shutil.copy(authority.file, trusted)  # is read again
    assert eventually(lambda: server.metric("imagesync_cache_up") == 1)


def test_a_redis_that_refuses_the_password_is_named(serve, redis, authority):
    server = serve(trusted_certificates=authority.file, cache=redis.url(password="not-" + PASSWORD))
    assert eventually(lambda: complaints(server, "redis"))
    assert "password" in complaints(server, "redis")[0]
    assert PASSWORD not in server.log_text()


def test_a_redis_that_wants_a_certificate_of_ours(serve, redis, authority):
    redis.want_certificates()
    server = serve(trusted_certificates=authority.file, cache=redis.url())
    assert eventually(lambda: complaints(server, "redis"))
    assert "client-certificate" in complaints(server, "redis")[0]
    server = serve(trusted_certificates=authority.file, cache=redis.url(),
                   client_certificate=authority.issue("client").both())
    assert server.metric("imagesync_cache_up") == 1


def test_a_file_of_authorities_that_is_none_is_refused(tmp_path, redis):
    said = refused_at_the_start(tmp_path, trusted_certificates=tmp_path / "none.pem",
                                cache=redis.url())
    assert "trusted-certificates" in said


# PostgreSQL

def test_a_postgresql_of_a_stranger_is_refused(tmp_path, postgres, stranger):
    said = refused_at_the_start(tmp_path, trusted_certificates=stranger.file,
                                database=postgres.url())
    assert "not of an authority that is trusted" in said and "trusted-certificates" in said


def test_a_postgresql_under_another_name_is_refused(tmp_path, authority):
    with Cluster() as cluster:
        other = Postgres(cluster, authority, "other", hosts=["db.example.org"])
        said = refused_at_the_start(tmp_path, trusted_certificates=authority.file,
                                    database=other.url())
    assert "another host name" in said


def test_a_postgresql_that_refuses_the_password_is_named(tmp_path, postgres, authority):
    said = refused_at_the_start(tmp_path, trusted_certificates=authority.file,
                                database=postgres.url(password="not-" + PASSWORD))
    assert "refuses the user or the password" in said


def test_a_postgresql_without_tls_is_refused(tmp_path, authority):
    with Cluster() as cluster:
        plain = cluster.start("plain", {"fsync": "off"})
        said = refused_at_the_start(tmp_path, trusted_certificates=authority.file,
                                    database=plain.url + "?sslmode=verify-full")
    assert "does not speak TLS" in said
