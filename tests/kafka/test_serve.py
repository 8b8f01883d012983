# SPDX-License-Identifier: Apache-2.0
"""The real server with Kafka beside it: its events arrive, also after it was killed."""

import json
import sys
import uuid

import pytest

from kafka_server import ROOT
from test_kafka import PARTITIONS
from topic import messages, read_by_partition

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from harness import Server, eventually  # noqa: E402
from people import Person  # noqa: E402
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


def test_what_a_person_does_in_a_library_arrives(kafka, server):
    kafka.make_topic(server.topic.replace(".contract", ".library"), PARTITIONS)
    ada = Person(server)
    album = ada.call("POST", "/v1/albums", {"name": "Lighthouses"}).json()
    reply = ada.call("PATCH", f"/v1/albums/{album['id']}", {"name": "Harbours"},
                     headers={"If-Match": f'"{album["version"]}"'})
    assert reply.status_code == 200, reply.text
    assert ada.call("DELETE", f"/v1/albums/{album['id']}").status_code == 204
    assert eventually(lambda: server.metric("imagesync_events_relayed_total") == 3, 60), \
        server.log_tail()
    found = messages(kafka, server.topic.replace(".contract", ".library"))
    assert read_by_partition(found) == {found[0][1]: 3}
    assert [(value["kind"], value["object"], value["version"], value["removed"])
            for _, _, value in found] == [("album", album["id"], version, version == 3)
                                          for version in (1, 2, 3)]
    assert [bool(value.get("sealed")) for _, _, value in found] == [True, True, False]
    assert "Lighthouses" not in str(found)
