# SPDX-License-Identifier: Apache-2.0
"""The event log in Kafka, while relays and the broker are killed: nothing lost, nothing reordered."""

import base64
import json
import sys
import time
import uuid

import pytest

from kafka_server import ROOT

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import Cluster, wait_for  # noqa: E402
from relays import (append, client, heads, kill, kill_again_and_again, left,  # noqa: E402
                    relay)
from topic import PATIENCE_S, messages, read_by_partition  # noqa: E402

QUICK = {"fsync": "off"}
PARTITIONS = 4
EVENTS = 30000
KILLS = 20


@pytest.fixture(scope="module")
def postgres():
    with Cluster() as cluster:
        yield cluster.start("server", QUICK)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/events.db"
    server = request.getfixturevalue("postgres")
    name = f"events_{uuid.uuid4().hex[:8]}"
    server.query(f"CREATE DATABASE {name}")
    return server.url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture
def prefix(kafka):
    """Of topics of its own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kafka.make_topic(f"{name}.contract", PARTITIONS)
    return name


def sink(kafka, prefix):
    return f"kafka://{kafka.servers}/{prefix}"


def test_an_event_arrives_as_it_is(kafka, prefix, url):
    users = append(url, 1, 3)
    moving = relay(url, sink(kafka, prefix))
    wait_for(lambda: left(url) == 0, PATIENCE_S, "not relayed")
    kill(moving)
    found = messages(kafka, f"{prefix}.contract")
    assert [value["seq"] for _, _, value in found] == [1, 2, 3]
    value = found[0][2]
    assert set(value) == {"topic", "user", "seq", "kind", "object", "version", "removed", "at",
                          "facts", "sealed"}
    assert (value["topic"], value["kind"], value["version"], value["removed"], value["facts"]) == \
        ("contract", "thing", 1, False, {"n": 1})
    assert value["user"] in users
    assert uuid.UUID(value["object"]).version == 7
    assert abs(value["at"] / 1000 - time.time()) < PATIENCE_S
    assert base64.b64decode(value["sealed"]) == b"x" * 199


def test_killed_relays_lose_and_reorder_nothing(kafka, prefix, url):
    users, moving = kill_again_and_again(url, sink(kafka, prefix), EVENTS, KILLS)
    wait_for(lambda: left(url) == 0, PATIENCE_S, "not all was relayed")
    for process in moving:
        kill(process)
    assert sum(users.values()) == EVENTS
    assert read_by_partition(messages(kafka, f"{prefix}.contract")) == users


def test_a_killed_broker_loses_and_reorders_nothing(kafka, prefix, url):
    appending = client(url, "append", 20, EVENTS)
    moving = relay(url, sink(kafka, prefix))
    assert moving.stdout.readline().startswith("moved")
    kafka.kill()
    kafka.start()
    users = heads(appending.communicate(timeout=PATIENCE_S)[0])
    wait_for(lambda: left(url) == 0, PATIENCE_S, "not all was relayed")
    kill(moving)
    assert read_by_partition(messages(kafka, f"{prefix}.contract")) == users
