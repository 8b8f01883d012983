# SPDX-License-Identifier: Apache-2.0
"""The relay of events, as an operator sees it: what the setting takes, and a broker that is away.
tests/kafka has a real one."""

import os
import subprocess

import pytest

from backends import running
from harness import BINARY, eventually
from people import Person
from postgres_server import free_port
from relays import append
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def away(backend, tmp_path_factory):
    """A server whose broker cannot be reached."""
    with running(backend, tmp_path_factory.mktemp("relay"),
                 events=f"kafka://127.0.0.1:{free_port()}/test", **CHEAP) as server:
        yield server


def test_a_broker_that_is_away_hinders_nobody(away):
    append(away.environment.get("IMAGESYNC_DATABASE", f"sqlite:{away.data}/imagesync.db"), 3, 9)
    assert Person(away).call("GET", "/v1/library").status_code == 200
    assert eventually(lambda: away.metric("imagesync_events_relay_failures_total") >= 1, 30)
    assert eventually(lambda: away.metric("imagesync_events_relay_lag_seconds") > 1, 30)
    assert away.metric("imagesync_events_relayed_total") == 0
    assert away.metric("imagesync_events_relay_shards") == 16
    said = [line for line in away.log() if line["event"] == "events are not relayed"]
    assert len(said) == 1 and said[0]["level"] == "warn", said
    assert Person(away).call("GET", "/v1/library").status_code == 200


def refused(tmp_path, **settings):
    if not (tmp_path / "data").exists():
        (tmp_path / "data").mkdir()
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("IMAGESYNC_")}
    flags = [part for name, value in settings.items()
             for part in (f"--{name.replace('_', '-')}", value)]
    done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--services", "user,sync",
                           "--data", tmp_path / "data", *flags],
                          capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode in (2, 3), done.stderr
    return done.stderr


@pytest.mark.parametrize("value", ["", "kafka", "kafka://host/x", "kafka://host:9092/",
                                   "kafka://host:9092/a b", "amqp://host:1/x", "kafka://:1/x"])
def test_what_is_no_broker_is_refused(tmp_path, value):
    error = refused(tmp_path, events=value)
    assert "--events" in error and "HOST:PORT" in error, error


@pytest.mark.parametrize("text, said", [
    (None, "cannot read"),
    ("no equals sign\n", 'line 1 of'),
    ("# fine\n\nsasl.password = hush-hush\nnothing.like.it = hush-hush\n", "nothing.like.it"),
    ("security.protocol = hush-hush\n", "security.protocol"),
])
def test_settings_of_the_client_are_checked(tmp_path, text, said):
    path = tmp_path / "kafka.conf"
    if text is not None:
        path.write_text(text)
    error = refused(tmp_path, events="kafka://127.0.0.1:1/x", events_config=str(path))
    assert said in error
    assert "hush" not in error
