# SPDX-License-Identifier: Apache-2.0
"""The real server and a Kafka with TLS and passwords: who is trusted, and what an operator is told
who has to mend something. Nothing is lost meanwhile, and no restart is needed."""

import subprocess
import sys
import uuid
from pathlib import Path

import confluent_kafka
import pytest

from kafka_server import PASSWORD, ROOT, USER
from test_kafka import PARTITIONS
from topic import messages, read_by_partition

sys.path.insert(0, str(ROOT / "tests" / "contract"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from certificates import Authority  # noqa: E402
from harness import Server, eventually  # noqa: E402
from relays import append  # noqa: E402

EVENTS = 60


def text(**lines):
    return "".join(f"{name.replace('_', '.')} = {value}\n" for name, value in lines.items())


def right(mechanism="PLAIN", **more):
    return text(security_protocol="SASL_SSL", sasl_mechanism=mechanism, sasl_username=USER,
                sasl_password=PASSWORD, **more)


@pytest.fixture
def serve(kafka, tmp_path):
    running = []

    def start(config, **settings):
        topic = f"tls-{uuid.uuid4().hex[:8]}.contract"
        kafka.make_topic(topic, PARTITIONS)
        (tmp_path / "kafka.conf").write_text(config)
        address = f"kafka://{kafka.tls_servers}/{topic.removesuffix('.contract')}"
        server = Server(tmp_path, services="user,sync", events=address,
                        events_config=tmp_path / "kafka.conf", **settings)
        server.topic = topic
        running.append(server)
        return server
    yield start
    for server in running:
        server.stop()


def add(server):
    return append(f"sqlite:{server.data}/imagesync.db", 5, EVENTS)


def complaints(server):
    return [line["reason"] for line in server.log()
            if line["event"] == "server cannot be used" and line["server"] == "kafka"]


def all_arrive(kafka, server, users):
    assert eventually(lambda: server.metric("imagesync_events_relayed_total") == EVENTS, 90), \
        server.log_tail()
    assert read_by_partition(messages(kafka, server.topic)) == users


@pytest.mark.parametrize("settings,more", [
    (["trusted_certificates"], []),
    ([], ["ssl_ca_location"]),
], ids=["trusted-certificates", "events-config"])
def test_events_arrive_over_tls(kafka, serve, settings, more):
    ca = kafka.authority.file
    server = serve(right(**{name: ca for name in more}), **{name: ca for name in settings})
    all_arrive(kafka, server, add(server))
    assert complaints(server) == []
    assert PASSWORD not in server.log_text()


def test_scram_with_a_library_that_can(kafka, serve, monkeypatch):
    """The one that comes with Python's client, in place of Debian's."""
    (newer,) = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs").glob(
        "librdkafka*")
    monkeypatch.setenv("LD_PRELOAD", str(newer))
    server = serve(right("SCRAM-SHA-512"), trusted_certificates=kafka.authority.file)
    all_arrive(kafka, server, add(server))
    assert complaints(server) == []


def test_scram_with_a_library_that_cannot(kafka, serve, tmp_path):
    version = subprocess.run(["pkg-config", "--modversion", "rdkafka"], check=True,
                             capture_output=True, text=True).stdout
    if [int(part) for part in version.split(".")] >= [2, 6, 1]:
        pytest.skip(f"librdkafka {version.strip()} can")
    server = serve(right("SCRAM-SHA-512"), trusted_certificates=kafka.authority.file)
    mended_later(kafka, server, "newer library",
                 lambda: (tmp_path / "kafka.conf").write_text(right()))


def mended_later(kafka, server, word, mend):
    users = add(server)
    assert eventually(lambda: complaints(server), 60), server.log_tail()
    assert len(complaints(server)) == 1 and word in complaints(server)[0]
    assert eventually(lambda: "events are not relayed" in server.log_text())
    assert server.metric("imagesync_events_relayed_total") == 0
    assert PASSWORD not in server.log_text()
    mend()
    all_arrive(kafka, server, users)
    assert len(complaints(server)) == 1
    assert eventually(lambda: "server can be used again" in server.log_text())


@pytest.mark.parametrize("wrong,word", [
    ({"sasl_password": "another"}, "sasl.password"),
    ({"ssl_ca_location": "{stranger}"}, "trusted-certificates"),
    ({"security_protocol": "SASL_PLAINTEXT"}, "security.protocol"),
], ids=["password", "authority", "no TLS"])
def test_wrong_settings_are_told_and_can_be_mended(kafka, serve, tmp_path, wrong, word):
    stranger = Authority(tmp_path, "stranger").file
    config = right() + text(**wrong).format(stranger=stranger)
    server = serve(config, trusted_certificates=kafka.authority.file)
    mended_later(kafka, server, word, lambda: (tmp_path / "kafka.conf").write_text(right()))


@pytest.mark.parametrize("kind,word", [
    ({"expired": True}, "expired"),
    ({"hosts": ["kafka.example.org"]}, "another host name"),
], ids=["expired", "name"])
def test_wrong_certificates_are_told_and_can_be_replaced(kafka, serve, kind, word):
    def show(**options):
        kafka.show(kafka.authority.issue("kafka", **options))
        kafka.kill()
        kafka.start()

    show(**kind)
    try:
        server = serve(right(), trusted_certificates=kafka.authority.file)
        mended_later(kafka, server, word, show)
    finally:
        show()


def test_settings_that_cannot_be_are_refused_at_the_start(kafka, serve, tmp_path):
    with pytest.raises(RuntimeError) as refused:
        serve(right(), trusted_certificates=tmp_path / "nothing.pem")
    assert "events-config" in str(refused.value) and PASSWORD not in str(refused.value)
