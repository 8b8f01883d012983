# SPDX-License-Identifier: Apache-2.0
"""Files that are made to cost much: each is looked into within bounds, gets a clear status, and is
kept as it came."""

import time

import pytest

import bombs
from backends import running
from harness import eventually
from library import download, picture, send, settled
from people import Person
from test_accounts import CHEAP

CPU_S, WORKER_MIB = 3, 700
READY, UNREADABLE = {"ready"}, {"unreadable"}


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("bombs"), services="user,sync,worker", workers=1,
                 ingest_threads=1, job_cpu_s=CPU_S, **CHEAP) as server:
        yield server


@pytest.fixture(scope="module")
def ada(server):
    return Person(server)


# What shows a picture nonetheless is shown; what takes long may be done on a fast machine.
BOMBS = {
    bombs.directories_in_circles: READY,
    bombs.a_deep_chain_of_directories: READY,
    bombs.entries_that_claim_gigabytes: READY,
    bombs.many_segments_of_metadata: READY,
    bombs.a_profile_of_many_segments: READY,
    bombs.a_profile_that_unpacks_to_a_gigabyte: READY | UNREADABLE,
    bombs.a_picture_that_unpacks_to_gigabytes: UNREADABLE,
    bombs.a_hundred_thousand_tiles: READY | UNREADABLE,
    bombs.tiles_that_claim_gigabytes: UNREADABLE,
    bombs.a_tile_of_gigabytes: UNREADABLE,
    bombs.pages_in_a_circle: READY,
    bombs.a_hundred_thousand_pages: READY | UNREADABLE,
    bombs.a_gif_as_large_as_can_be: READY | UNREADABLE,
    bombs.a_gif_of_many_large_frames: UNREADABLE,
    bombs.a_jpeg_of_many_scans: UNREADABLE,
    bombs.a_webp_with_a_large_profile: READY,
    bombs.a_webp_with_large_exif: READY,
    bombs.a_heic_of_boxes_in_boxes: UNREADABLE,
}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_it_costs_no_more_than_is_allowed(ada, server, bomb):
    content = bomb(1)
    photo_id, _ = send(ada, content)
    state = settled(ada, photo_id)["state"]
    assert state["status"] in BOMBS[bomb], state
    if state["status"] == "unreadable":
        assert state["reason"].endswith("."), state
    else:
        assert download(ada, f"/v1/photos/{photo_id}/thumbnail").status_code == 200
    assert max(server.memory_peaks().values()) < WORKER_MIB
    assert download(ada, f"/v1/photos/{photo_id}/original").content == content
    # Who comes next is served as if nothing had been.
    began = time.monotonic()
    good, _ = send(ada, picture(hash(bomb.__name__) % 2**32))
    assert settled(ada, good)["state"]["status"] == "ready"
    assert time.monotonic() - began < 30


def test_what_took_too_long_is_said_to_have(ada, server):
    """And lies in the dead letter, so that an operator sees it."""
    dead = 'imagesync_queue_events_total{event="dead"}'
    before = server.metric(dead)
    photo_id, _ = send(ada, bombs.texts_that_unpack_to_gigabytes(2))
    state = settled(ada, photo_id)["state"]
    assert (state["status"], state["reason"]) == (
        "unreadable", "Reading the picture takes too long.")
    assert eventually(lambda: server.metric(dead) == before + 1)
