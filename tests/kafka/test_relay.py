# SPDX-License-Identifier: Apache-2.0
"""The event log in Kafka, while relays and the broker are killed: nothing lost, nothing reordered."""

import base64
import json
import os
import random
import select
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from kafka_server import ROOT

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from postgres_server import Cluster, wait_for  # noqa: E402

CLIENT = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract" / "event_client"
QUICK = {"fsync": "off"}
LEASE_MS = 300
PARTITIONS = 4
PATIENCE_S = 120
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


def client(*arguments):
    return subprocess.Popen([CLIENT, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def relay(url, kafka, prefix):
    return client(url, "relay", f"kafka://{kafka.servers}/{prefix}", LEASE_MS)


def kill(process):
    process.kill()
    process.communicate()


def left(url):
    done = subprocess.run([CLIENT, url, "left"], capture_output=True, text=True, timeout=60,
                          check=True)
    return int(done.stdout)


def heads(output):
    """How far each user's log goes, by what `append` says."""
    return {line.split()[1]: int(line.split()[2]) for line in output.splitlines()
            if line.startswith("user ")}


def messages(kafka, topic):
    """All there are: partition, key, value, in order within a partition."""
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": str(uuid.uuid4()),
                         "enable.auto.commit": False})
    found = []
    partitions = consumer.list_topics(topic, 60).topics[topic].partitions
    ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 60)[1]
            for number in partitions}
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    end = time.monotonic() + PATIENCE_S
    while len(found) < sum(ends.values()):
        assert time.monotonic() < end
        for message in consumer.consume(1000, 1):
            assert not message.error()
            found.append((message.partition(), message.key().decode(),
                          json.loads(message.value())))
    consumer.close()
    return found


def read_as_told(found):
    """What a reader keeps who passes over what is not greater: how far it got, by user. Fails when
    there is a gap, or when a user is in two partitions."""
    reached, partition_of, repeated = {}, {}, 0
    for partition, key, value in found:
        assert key == value["user"]
        assert partition_of.setdefault(key, partition) == partition
        if value["seq"] <= reached.get(key, 0):
            repeated += 1
            continue
        assert value["seq"] == reached.get(key, 0) + 1, (key, value["seq"], reached.get(key))
        reached[key] = value["seq"]
    print(f"{len(found)} messages, {repeated} of them repeated")
    return reached


def test_an_event_arrives_as_it_is(kafka, prefix, url):
    with client(url, "append", 1, 3) as appending:
        users = heads(appending.communicate(timeout=60)[0])
    moving = relay(url, kafka, prefix)
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
    # Two at a time; the one that moves is killed while it does, again and again.
    appending = client(url, "append", 20, EVENTS)
    moving = [relay(url, kafka, prefix) for _ in range(2)]
    chance = random.Random(os.environ.get("SEED"))
    kills = 0
    while appending.poll() is None or (left(url) > 0 and kills < KILLS):
        ready, _, _ = select.select([process.stdout for process in moving], [], [], 1)
        # A few more times, as long as it goes on by itself.
        for _ in range(chance.randrange(4)):
            again, _, _ = select.select(ready, [], [], 0.05)
            for stream in again:
                os.read(stream.fileno(), 1 << 16)
        for place, process in enumerate(moving):
            if process.stdout in ready:
                kill(process)
                kills += 1
                moving[place] = relay(url, kafka, prefix)
    print(f"{kills} killed")
    assert kills > 3
    users = heads(appending.communicate()[0])
    wait_for(lambda: left(url) == 0, PATIENCE_S, "not all was relayed")
    for process in moving:
        kill(process)
    assert sum(users.values()) == EVENTS
    assert read_as_told(messages(kafka, f"{prefix}.contract")) == users


def test_a_killed_broker_loses_and_reorders_nothing(kafka, prefix, url):
    appending = client(url, "append", 20, EVENTS)
    moving = relay(url, kafka, prefix)
    assert moving.stdout.readline().startswith("moved")
    kafka.kill()
    kafka.start()
    users = heads(appending.communicate(timeout=PATIENCE_S)[0])
    wait_for(lambda: left(url) == 0, PATIENCE_S, "not all was relayed")
    kill(moving)
    assert read_as_told(messages(kafka, f"{prefix}.contract")) == users
