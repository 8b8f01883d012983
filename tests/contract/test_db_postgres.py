# SPDX-License-Identifier: Apache-2.0
"""The database port's suites, and what is PostgreSQL's own, on a real server."""

import os
import subprocess
from pathlib import Path

import pytest

from postgres_server import Cluster

BUILD = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract"
# Here processes die, never the machine, so nothing is lost for want of an fsync.
QUICK = {"fsync": "off"}


@pytest.fixture(scope="module")
def server():
    with Cluster() as cluster:
        yield cluster.start("server", QUICK)


@pytest.fixture(params=["read committed", "serializable"])
def isolation(request, server):
    """What the server's transactions are by default, which may not matter."""
    server.query(f"ALTER SYSTEM SET default_transaction_isolation = '{request.param}'")
    server.query("SELECT pg_reload_conf()")
    return request.param


def run(program, *arguments, **environment):
    done = subprocess.run([BUILD / program, *arguments], capture_output=True, text=True,
                          timeout=120, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("suite", ["db_contract", "db_concurrent_contract",
                                   "migrations_contract", "db_postgres_test"])
def test_suite(server, isolation, suite):
    run(suite, server.url)


@pytest.mark.parametrize("suite", ["audit_trail_contract", "chore_contract"])
def test_suite_of_the_user_service(server, isolation, suite):
    name = f"{suite}_{isolation.replace(' ', '_')}"
    server.query(f"CREATE DATABASE {name}")
    run(suite, server.url.rsplit("/", 1)[0] + "/" + name)


def test_password_from_address_and_file(server, tmp_path):
    (server.data / "pg_hba.conf").write_text(
        "local all all trust\nhost all postgres 127.0.0.1/32 trust\n"
        "host all all 127.0.0.1/32 scram-sha-256\n")
    server.query("CREATE ROLE app SUPERUSER LOGIN PASSWORD 'open:sesame'")
    server.query("SELECT pg_reload_conf()")
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:{server.port}:postgres:app:open\\:sesame\n")
    passwords.chmod(0o600)
    address = f"127.0.0.1:{server.port}/postgres"

    run("db_contract", f"postgresql://app:open%3Asesame@{address}")
    run("db_contract", f"postgresql://app@{address}", PGPASSFILE=str(passwords))
    wrong = subprocess.run([BUILD / "db_contract", f"postgresql://app:close@{address}"],
                           capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode != 0
    assert "sesame" not in wrong.stderr and "close" not in wrong.stderr


def test_by_socket(server):
    run("db_contract", f"postgresql:///postgres?host={server.folder}&port={server.port}"
                       "&user=postgres")
