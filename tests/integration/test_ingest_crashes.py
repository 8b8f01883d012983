# SPDX-License-Identifier: Apache-2.0
"""Workers and servers that die while they look into a photo: it is looked into again, and a file that
kills whatever reads it holds up nobody."""

import os
import signal
import time
from pathlib import Path

import pytest

import bombs
from backends import rows, running
from harness import eventually
from library import download, photo_of, picture, send, settled
from people import Person
from test_accounts import CHEAP
from test_crashes import kill, of_role

BACKENDS = ["embedded", "servers"]
WORKING = "imagesync_render_running"
DEAD = 'imagesync_queue_events_total{event="dead"}'


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    """With one worker, so that it is known who has which photo."""
    with running(backend, tmp_path_factory.mktemp("crashes"), services="user,sync,worker", workers=1,
                 ingest_threads=1, **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def hold_workers(server):
    """They take what they are given, and do nothing."""
    assert eventually(lambda: of_role(server, "worker"))
    for pid in of_role(server, "worker"):
        os.kill(pid, signal.SIGSTOP)


def test_a_worker_that_is_killed_costs_a_photo_nothing(ada, server):
    restarts, dead = server.metric("imagesync_worker_restarts"), server.metric(DEAD)
    hold_workers(server)
    photo_id, _ = send(ada, picture(100))
    assert eventually(lambda: server.metric(WORKING) == 1)
    assert photo_of(ada, photo_id)["state"]["status"] == "processing"
    kill(of_role(server, "worker"))
    assert settled(ada, photo_id)["state"]["status"] == "ready"
    assert server.metric("imagesync_worker_restarts") == restarts + 1
    assert server.metric(DEAD) == dead


def test_a_file_that_kills_its_worker_each_time_holds_up_nobody(ada, server):
    """It is tried twice, then it is unreadable and its job dead, with a reason each; those that were
    sent after it are looked into."""
    dead = server.metric(DEAD)
    content = bombs.png(9000, 10001)  # which takes so long that it is met at work
    bad, _ = send(ada, content, "bad.png", "image/png")
    good = [send(ada, picture(seed))[0] for seed in range(110, 115)]
    for _ in range(2):
        assert eventually(lambda: server.metric(WORKING) == 1)
        kill(of_role(server, "worker"))
        assert eventually(lambda: server.metric(WORKING) == 0)
    state = settled(ada, bad)["state"]
    assert (state["status"], state["reason"]) == ("unreadable", "The picture cannot be read.")
    assert [settled(ada, each)["state"]["status"] for each in good] == ["ready"] * len(good)
    assert download(ada, f"/v1/photos/{bad}/original").content == content
    assert eventually(lambda: server.metric(DEAD) == dead + 1)
    if server.backend != "stores":
        assert rows(server, "SELECT reason FROM queue_job WHERE state = 3") == [
            ("The picture cannot be read.",)]
    # It is not looked into again, whoever asks, nor when the server is started anew.
    changes = ada.call("GET", "/v1/changes").json()["changes"]
    server.stop()
    server.start()
    later, _ = send(ada, picture(120))
    assert settled(ada, later)["state"]["status"] == "ready"
    assert photo_of(ada, bad)["state"] == state
    assert ada.call("GET", "/v1/changes").json()["changes"][:len(changes)] == changes


def test_a_server_that_is_killed_meanwhile_looks_into_it_when_it_is_back(ada, server):
    hold_workers(server)
    photos = [send(ada, picture(seed))[0] for seed in range(130, 134)]
    assert eventually(lambda: server.metric(WORKING) == 1)
    server.kill()
    server.start()
    began = time.monotonic()
    if server.backend == "servers":
        # As if the minute had passed after which a job's process is taken to be dead.
        rows(server, "UPDATE queue_job SET due_us = 1 WHERE state = 2")
    assert [settled(ada, each)["state"]["status"] for each in photos] == ["ready"] * len(photos)
    assert time.monotonic() - began < 40, "no lease of the dead is waited for"
    states = [photo_of(ada, each) for each in photos]
    # Once: nothing was learned twice.
    changes = ada.call("GET", "/v1/changes").json()["changes"]
    assert sorted(change["version"] for change in changes) == sorted(
        state["version"] for state in states)


@pytest.fixture
def gone(server):
    """Takes the disk with the files away, and brings it back."""
    if server.backend == "stores":
        pytest.skip("whose jobs lie elsewhere, and whose files too")
    here, there = Path(server.blobs), Path(server.blobs).with_name("unmounted")
    there.mkdir(exist_ok=True)

    def move(where, to):
        for path in where.iterdir():
            path.rename(to / path.name)

    yield lambda: move(here, there), lambda: move(there, here)
    move(there, here)


def tried_again(server):
    return server.metric('imagesync_ingests_total{result="later"}')


def put_off(ada, server, take, seed):
    """A photo whose file cannot be had when it is looked into."""
    hold_workers(server)
    before = tried_again(server)
    photo_id, _ = send(ada, picture(seed))
    assert eventually(lambda: server.metric(WORKING) == 1)
    take()
    kill(of_role(server, "worker"))
    assert eventually(lambda: tried_again(server) > before)
    return photo_id


WAITING = "SELECT count(*) FROM queue_job WHERE state = 1"


def test_a_store_that_is_away_for_long_costs_a_photo_nothing(ada, server, gone):
    take, bring = gone
    photo_id = put_off(ada, server, take, 140)
    assert photo_of(ada, photo_id)["state"]["status"] == "processing"
    # As if it had been tried for an hour, and is now.
    rows(server, "UPDATE queue_job SET attempts = 15, due_us = 1 WHERE state = 1")
    before = tried_again(server)
    assert eventually(lambda: tried_again(server) > before)
    assert eventually(lambda: rows(server, WAITING) == [(1,)])
    bring()
    rows(server, "UPDATE queue_job SET due_us = 1 WHERE state = 1")
    assert settled(ada, photo_id)["state"]["status"] == "ready"


def test_one_that_stays_away_is_told_of(ada, server, gone):
    take, bring = gone
    dead = server.metric(DEAD)
    photo_id = put_off(ada, server, take, 150)
    rows(server, "UPDATE queue_job SET attempts = 19, due_us = 1 WHERE state = 1")
    state = settled(ada, photo_id)["state"]
    assert state["status"] == "unreadable" and "tell the operator" in state["reason"]
    assert eventually(lambda: server.metric(DEAD) == dead + 1)
    bring()
    assert download(ada, f"/v1/photos/{photo_id}/original").content == picture(150)
