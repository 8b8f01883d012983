# SPDX-License-Identifier: Apache-2.0
"""Reads from a streaming replica: it answers, and nobody sees less than they have written."""

import threading

import pytest
import requests

from backends import Cluster, redis_server, wait_for
from harness import Server, eventually
from people import Person
from test_accounts import CHEAP

REPLICA = 'imagesync_db_transactions_total{server="replica"}'
BEHIND = "imagesync_db_replica_behind_total"


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """(settings, replica): a primary with one that follows it."""
    with Cluster() as cluster, redis_server(tmp_path_factory.mktemp("redis")) as cache:
        primary = cluster.start("primary", {"fsync": "off"})
        replica = cluster.follow("replica", primary, {"fsync": "off"})
        yield {"database": primary.url, "db_replicas": replica.url, "cache": cache,
               "migrate_on_start": "yes", **CHEAP}, replica


@pytest.fixture(scope="module")
def server(setting, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("replicas") / "server", **setting[0])
    yield server
    server.stop()


@pytest.fixture
def replica(setting):
    yield setting[1]
    setting[1].query("SELECT pg_wal_replay_resume()")


def pause(replica):
    replica.query("SELECT pg_wal_replay_pause()")
    wait_for(lambda: replica.value("SELECT pg_get_wal_replay_pause_state()") == "paused", 10,
             "the replica does not pause")


def rename(person, name):
    """Through the version that is there; gives the answer."""
    etag = person.call("GET", "/v1/me").headers["ETag"]
    reply = person.call("PATCH", "/v1/me", {"name": name}, headers={"If-Match": etag})
    assert reply.status_code == 200, reply.text
    return reply


def name_of(person, **headers):
    reply = person.call("GET", "/v1/me", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()["name"]


def test_a_replica_answers_once_it_has_caught_up(server, replica):
    ada = Person(server)
    assert rename(ada, "Ada").headers["Sync-Token"]
    before = server.metric(REPLICA)

    def read_all():
        assert name_of(ada) == "Ada"
        assert len(ada.call("GET", "/v1/sessions").json()["sessions"]) == 1
        assert ada.call("GET", "/v1/api-keys").json() == {"keys": []}
        assert len(ada.call("GET", "/v1/me/audit").json()["entries"]) == 1
        return server.metric(REPLICA) >= before + 8

    assert eventually(read_all)


def test_what_was_written_is_seen_while_the_replica_stands_still(server, replica):
    ada = Person(server)
    rename(ada, "before")
    pause(replica)
    behind = server.metric(BEHIND)
    rename(ada, "after")
    assert name_of(ada) == "after"
    key = ada.call("POST", "/v1/api-keys", {"name": "shop"}).json()
    assert [entry["id"] for entry in ada.call("GET", "/v1/api-keys").json()["keys"]] == [key["id"]]
    assert ada.call("GET", "/v1/me/audit").json()["entries"][0]["action"] == "api_key.created"
    second = ada.sign_in()
    other = requests.Session()
    other.headers["Authorization"] = "Bearer " + second.json()["token"]
    assert len(ada.call("GET", "/v1/sessions").json()["sessions"]) == 2
    # Another of this user's devices, which has written nothing itself.
    assert other.get(server.url + "/v1/me", timeout=30).json()["name"] == "after"
    assert ada.call("DELETE", "/v1/sessions?keep=current").status_code == 204
    assert len(ada.call("GET", "/v1/sessions").json()["sessions"]) == 1
    assert server.metric(BEHIND) > behind
    # Somebody else who has written nothing since is not sent to the primary for it.
    replica.query("SELECT pg_wal_replay_resume()")
    before = server.metric(REPLICA)
    assert eventually(lambda: name_of(ada) == "after" and server.metric(REPLICA) > before)


def test_a_token_of_the_clients_is_heeded_and_no_other_harms(server, replica):
    ada = Person(server)
    token = rename(ada, "Ada").headers["Sync-Token"]
    for sent in (token, "garbage", "x" * 100, "FFFFFFFF-FFFFFFFF/FFFFFFFF", "primary", "a b"):
        assert name_of(ada, **{"Sync-Token": sent}) == "Ada", sent
    before = server.metric(REPLICA)
    # Of a future that no replica has seen: the primary answers.
    for _ in range(3):
        name_of(ada, **{"Sync-Token": "FFFFFFFF-FFFFFFFF/FFFFFFFF"})
    assert server.metric(REPLICA) == before
    assert eventually(lambda: name_of(ada, **{"Sync-Token": token}) == "Ada"
                      and server.metric(REPLICA) > before)


def test_refusals_say_nothing_of_where_they_were_written(server):
    ada = Person(server)
    for address in (ada.address, "nobody@example.com"):
        reply = requests.post(server.url + "/v1/sessions", timeout=60, json={
            "email": address, "password": "wrong wrong wrong", "cookie": False})
        assert reply.status_code == 401 and "Sync-Token" not in reply.headers


def test_nobody_reads_less_than_they_wrote_under_load(server, replica):
    people = [Person(server) for _ in range(3)]
    stale, writes, stop = [], [0] * len(people), threading.Event()

    def write_and_read(i):
        person = people[i]
        version = int(person.call("GET", "/v1/me").headers["ETag"].strip('"'))
        while not stop.is_set():
            reply = person.call("PATCH", "/v1/me", {"name": f"n{writes[i]}"},
                                headers={"If-Match": f'"{version}"'})
            assert reply.status_code == 200, reply.text
            version, writes[i] = int(reply.headers["ETag"].strip('"')), writes[i] + 1
            for _ in range(3):
                seen = int(person.call("GET", "/v1/me").headers["ETag"].strip('"'))
                if seen < version:
                    stale.append((seen, version))

    before = server.metric(REPLICA), server.metric(BEHIND)
    threads = [threading.Thread(target=write_and_read, args=(i,)) for i in range(len(people))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            pause(replica)
            done = sum(writes)
            assert eventually(lambda done=done: sum(writes) > done + 20, 60)
            replica.query("SELECT pg_wal_replay_resume()")
            reads = server.metric(REPLICA)
            assert eventually(lambda reads=reads: server.metric(REPLICA) > reads + 20, 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not stale
    assert server.metric(REPLICA) > before[0] and server.metric(BEHIND) > before[1]


def test_without_replicas_there_is_no_token(tmp_path):
    server = Server(tmp_path / "server", **CHEAP)
    try:
        assert "Sync-Token" not in rename(Person(server), "Ada").headers
    finally:
        server.stop()
