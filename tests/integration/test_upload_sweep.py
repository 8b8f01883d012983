# SPDX-License-Identifier: Apache-2.0
"""What uploads leave behind goes by itself, and nothing else does."""

import pytest

from backends import rows, running
from harness import eventually
from people import Person
from stores import store_of
from test_accounts import CHEAP
from test_erasure import execute
from uploading import JPEG, create, created, head, jpeg, original, patch

BACKENDS = ["embedded", "servers"]
ORPHAN = "00/" + "f" * 62
# In a bucket there is an object for each point that a stage can go on from.
ORPHANS = ({"blobs": ORPHAN, "stages": ORPHAN},
           {"blobs": ORPHAN, "stages": f"{ORPHAN}/{1:016x}"})


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    """It looks every second, and leaves what is nobody's for a second."""
    with running(backend, tmp_path_factory.mktemp("sweep"), services="user,sync", blob_grace_s=1,
                 erasure_grace_days=0, housekeeping_s=1, **CHEAP) as server:
        yield server


def files(server, area):
    return set(store_of(server).sizes(area))


def test_an_upload_expires(server):
    ada = Person(server)
    before = files(server, "stages")
    where = created(ada, 200_000)
    assert patch(ada, where, 0, jpeg(100_000)).status_code == 204
    assert files(server, "stages") - before
    execute(server, "UPDATE sync_upload SET expires_us = 1 WHERE outcome = 0")
    assert head(ada, where).status_code == 404
    assert eventually(lambda: not files(server, "stages") - before)
    assert rows(server, "SELECT count(*) FROM sync_upload WHERE outcome = 0") == [(0,)]
    assert server.metric("imagesync_uploads_expired_total") >= 1


def test_what_is_nobody_s_goes_and_nothing_else(server):
    ada = Person(server)
    data = jpeg(100_000)
    photo = create(ada, len(data), body=data).headers["Photo-Id"]
    open_upload = created(ada, 1000)
    assert patch(ada, open_upload, 0, JPEG).status_code == 204
    kept = {area: files(server, area) for area in ("blobs", "stages")}
    for area in kept:
        store_of(server).write(ORPHANS[server.backend == "stores"][area], b"x", area)
        assert files(server, area) != kept[area]
    assert eventually(lambda: all(files(server, area) == kept[area] for area in kept), 40)
    assert server.metric("imagesync_orphan_blobs_removed_total") >= 2
    assert original(ada, photo) == data
    assert patch(ada, open_upload, len(JPEG), b"x").status_code == 204


def test_a_lease_of_before_the_clock_was_set_back_holds_nobody_up(server):
    store, orphan = store_of(server), "00/" + "e" * 62
    execute(server, "UPDATE sync_setting SET value = '00099999999999999999 another'"
                    " WHERE name = 'sweep-lease'")
    store.write(orphan, b"x")
    assert eventually(lambda: orphan not in store.sizes(), 40)


def test_files_of_who_was_erased_go(server):
    before = files(server, "blobs") | files(server, "stages")
    eve = Person(server)
    assert create(eve, 5000, body=jpeg(5000)).headers["Photo-Status"] == "added"
    assert patch(eve, created(eve, 1000), 0, JPEG).status_code == 204
    assert (files(server, "blobs") | files(server, "stages")) - before
    assert eve.call("DELETE", "/v1/me").status_code == 202
    assert eventually(lambda: not (files(server, "blobs") | files(server, "stages")) - before, 60)
