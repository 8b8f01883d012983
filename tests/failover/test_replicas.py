# SPDX-License-Identifier: Apache-2.0
"""A primary and two streaming replicas: who has written sees it, and the replicas do the reading."""

import pytest

from conftest import TABLE
from postgres_server import Cluster, wait_for

SETTINGS = {"fsync": "off", "default_transaction_isolation": "serializable"}


@pytest.fixture
def servers():
    with Cluster() as cluster:
        primary = cluster.start("primary", SETTINGS)
        primary.query(TABLE)
        yield primary, [cluster.follow(f"replica-{i}", primary, SETTINGS) for i in range(2)]


def transactions(server):
    return int(server.value("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"))


def wait_until_read(server, reads=200):
    """Until this server has answered so many more."""
    before = transactions(server)
    wait_for(lambda: transactions(server) >= before + reads, 60, "the server is not read from")


def pause(replica):
    replica.query("SELECT pg_wal_replay_pause()")
    wait_for(lambda: replica.value("SELECT pg_get_wal_replay_pause_state()") == "paused", 10,
             "the replica does not pause")


def resume(replica):
    replica.query("SELECT pg_wal_replay_resume()")


def test_paused_replicas_are_never_stale(servers, start_load):
    primary, replicas = servers
    for replica in replicas:
        pause(replica)
    load = start_load(primary.url, [replica.url for replica in replicas])
    load.goes_on()  # both are behind from the first statement on: the primary answers
    for replica in replicas:
        resume(replica)
    for replica in replicas:
        wait_until_read(replica)
    for replica in replicas:
        pause(replica)
        load.goes_on()
    load.goes_on()
    for replica in replicas:
        resume(replica)
    for replica in replicas:
        wait_until_read(replica)
    seen = load.finish()
    assert seen["stale"] == 0 and seen["unread"] == 0
    assert seen["refused"] == 0 and seen["unknown"] == 0
    assert seen["behind"] > 0
    assert seen["replica"] > 200


def test_dead_replica_is_passed_over_until_it_is_back(servers, start_load):
    primary, replicas = servers
    load = start_load(primary.url, [replica.url for replica in replicas])
    for replica in replicas:
        wait_until_read(replica)
    replicas[1].stop()
    load.goes_on()
    wait_until_read(replicas[0])
    replicas[1].start(SETTINGS)
    wait_until_read(replicas[1])
    seen = load.finish()
    assert seen["stale"] == 0 and seen["unread"] == 0 and seen["refused"] == 0
    assert seen["replica_down"] > 0
