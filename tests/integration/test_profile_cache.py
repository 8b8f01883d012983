# SPDX-License-Identifier: Apache-2.0
"""GET /v1/me is answered from memory, and still nobody sees what is no longer so."""

import time

import pytest

import backends
from harness import Server, eventually
from people import PASSWORD, Person, problem
from test_accounts import CHEAP
from test_api_keys import operator

BACKENDS = ["embedded", "servers"]
KEPT_S = 10


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    services = {} if backend == "split" else {"services": "user"}
    with backends.running(backend, tmp_path_factory.mktemp("profiles"), **services,
                          **CHEAP) as server:
        yield server


@pytest.fixture
def other(server, backend, tmp_path):
    """A second process on the same database and cache."""
    if backend == "embedded":
        pytest.skip("a database of its own is for one process")
    settings = {name: server.environment["IMAGESYNC_" + name.upper()]
                for name in ("database", "cache", *CHEAP)}
    other = Server(tmp_path / "other", services="user", master_key=server.data / "master.key",
                   public_url=server.url, **settings)
    yield other
    other.stop()


def me(person, server=None):
    reply = person.http.get((server or person.server).url + "/v1/me", timeout=60)
    assert reply.status_code == 200, reply.text
    return reply


def rename(person, name):
    reply = person.call("PATCH", "/v1/me", {"name": name},
                        headers={"If-Match": me(person).headers["ETag"]})
    assert reply.status_code == 200, reply.text
    return reply


def test_the_kept_answer_is_the_same(server):
    ada = Person(server, name="Ada \"λ\"")
    first, again = me(ada), me(ada)
    assert first.json() == again.json() and first.json()["name"] == "Ada \"λ\""
    for name in ("ETag", "Cache-Control", "Content-Type", "X-Content-Type-Options"):
        assert first.headers[name] == again.headers[name]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    head = ada.http.head(server.url + "/v1/me", timeout=60)
    assert head.status_code == 200 and head.headers["ETag"] == first.headers["ETag"]
    assert head.content == b""
    ada.http.cookies.set("session", ada.http.headers.pop("Authorization").split()[1])
    assert me(ada).json() == first.json()


def test_it_is_read_once_and_not_with_every_request(server):
    ada = Person(server)
    before = me(ada).headers["ETag"]
    backends.rows(server, "UPDATE user_account SET version = version + 100")  # past the service
    assert me(ada).headers["ETag"] == before
    assert eventually(lambda: me(ada).headers["ETag"] != before, seconds=3 * KEPT_S)


def test_own_changes_are_seen_at_once(server):
    ada = Person(server)
    for number in range(20):
        rename(ada, f"Ada {number}")
        assert me(ada).json()["name"] == f"Ada {number}"
        assert me(ada).json()["name"] == f"Ada {number}"


def test_what_ends_a_session_ends_the_kept_answer(server):
    ada = Person(server)
    me(ada)
    assert ada.call("DELETE", "/v1/sessions").status_code == 204
    reply = ada.call("GET", "/v1/me")
    assert problem(reply) == (401, "signed_out")


def test_what_staff_change_is_seen_at_once(server):
    boss, ada = Person(server), Person(server)
    assert operator(server, "role", boss.address, "admin").returncode == 0
    me(ada)
    reply = boss.call("PATCH", f"/v1/admin/users/{ada.id}", {"status": "locked"})
    assert reply.status_code == 200, reply.text
    assert problem(ada.call("GET", "/v1/me")) == (401, "signed_out")


def test_signing_in_is_seen_in_the_version(server):
    ada = Person(server)
    before = me(ada).headers["ETag"]
    assert ada.sign_in(PASSWORD).status_code == 201
    assert me(ada).headers["ETag"] != before


def test_changes_by_another_process_are_seen_at_once(server, other):
    ada = Person(server)
    for number in range(10):
        me(ada, other)
        rename(ada, f"Ada {number}")
        assert me(ada, other).json()["name"] == f"Ada {number}"
    assert ada.call("DELETE", "/v1/sessions").status_code == 204
    assert ada.http.get(other.url + "/v1/me", timeout=60).status_code == 401


def test_the_operators_change_is_seen_within_the_time(server):
    ada = Person(server)
    assert me(ada).json()["role"] == "user"
    start = time.monotonic()
    assert operator(server, "role", ada.address, "support").returncode == 0
    assert eventually(lambda: me(ada).json()["role"] == "support", seconds=3 * KEPT_S)
    assert time.monotonic() - start < 2 * KEPT_S
