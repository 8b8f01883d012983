# SPDX-License-Identifier: Apache-2.0
"""The real server with Kafka beside it: its events arrive, also after it was killed."""

import json
import sys
import uuid

import pytest

from kafka_server import ROOT
from test_kafka import PARTITIONS, messages, read_by_partition

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import Server, eventually  # noqa: E402
from relays import append  # noqa: E402


@pytest.fixture
def server(kafka, tmp_path):
    prefix = f"serve-{uuid.uuid4().hex[:8]}"
    kafka.make_topic(f"{prefix}.contract", PARTITIONS)
    (tmp_path / "kafka.conf").write_text("# smaller\ncompression.type = lz4\n")
    server = Server(tmp_path, services="user,sync", events=f"kafka://{kafka.servers}/{prefix}",
                    events_config=tmp_path / "kafka.conf")
    server.topic = f"{prefix}.contract"
    yield server
    server.stop()


def database(server):
    return f"sqlite:{server.data}/imagesync.db"


def test_events_of_a_server_arrive(kafka, server):
    users = append(database(server), 5, 200)
    assert eventually(lambda: server.metric("imagesync_events_relayed_total") == 200, 60), \
        server.log_tail()
    assert read_by_partition(messages(kafka, server.topic)) == users
    assert server.metric("imagesync_events_relay_failures_total") == 0
    assert eventually(lambda: server.metric("imagesync_events_relay_lag_seconds") == 0, 30)


def test_what_a_killed_server_left_is_moved_by_the_next(kafka, server):
    users = append(database(server), 5, 100)
    server.kill()
    users |= append(database(server), 5, 100)
    server.start()
    # The killed one's lease lasts half a minute.
    assert eventually(lambda: read_by_partition(messages(kafka, server.topic)) == users, 90), \
        json.dumps(server.log()[-5:])
