# SPDX-License-Identifier: Apache-2.0
"""What a topic holds, and what its readers make of it."""

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, TopicPartition

from kafka_server import ROOT

sys.path.insert(0, str(ROOT / "tests" / "contract"))

from relays import read_as_told  # noqa: E402

PATIENCE_S = 120


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


def read_by_partition(found):
    """How far each user's events go, who must all be in one partition."""
    partition_of = {}
    for partition, key, value in found:
        assert key == value["user"]
        assert partition_of.setdefault(key, partition) == partition
    return read_as_told(value for _, _, value in found)
