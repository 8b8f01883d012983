# SPDX-License-Identifier: Apache-2.0
"""The real server with Kafka beside it: its events arrive, also after it was killed."""

import json
import subprocess
import sys
import uuid

import pytest

from kafka_server import ROOT
from test_relay import CLIENT, PARTITIONS, heads, messages, read_as_told

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import Server, eventually  # noqa: E402


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


def append(server, users, n):
    done = subprocess.run([CLIENT, f"sqlite:{server.data}/imagesync.db", "append", str(users),
                           str(n)], check=True, timeout=60, capture_output=True, text=True)
    return heads(done.stdout)


def test_events_of_a_server_arrive(kafka, server):
    users = append(server, 5, 200)
    assert eventually(lambda: server.metric("imagesync_events_relayed_total") == 200, 60), \
        server.log_tail()
    assert read_as_told(messages(kafka, server.topic)) == users
    assert server.metric("imagesync_events_relay_failures_total") == 0
    assert eventually(lambda: server.metric("imagesync_events_relay_lag_seconds") == 0, 30)


def test_what_a_killed_server_left_is_moved_by_the_next(kafka, server):
    users = append(server, 5, 100)
    server.kill()
    users |= append(server, 5, 100)
    server.start()
    # The killed one's lease lasts half a minute.
    assert eventually(lambda: read_as_told(messages(kafka, server.topic)) == users, 90), \
        json.dumps(server.log()[-5:])
