# SPDX-License-Identifier: Apache-2.0
"""Photos that an earlier version has looked into: what is read of files since then is found out of
them too, in the background, and what nothing new is known of stays untouched."""

import pytest

from backends import rows, running
from harness import eventually
from library import changed, download, photo_of, picture, send, settled
from people import Person
from test_accounts import CHEAP
from test_erasure import execute
from test_ingest import exif_of
from test_shares import shared, visit

BACKENDS = ["embedded", "servers"]
PLACE = {"lat": 47.35, "lon": 8.55}


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("reingest"), reingest_every_s=1, **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def age(server):
    """As if an earlier version had looked into all of them."""
    execute(server, "UPDATE sync_ingest SET version = 0")


def older(server):
    return rows(server, "SELECT COUNT(*) FROM sync_ingest WHERE version = 0")[0][0]


def done(server):
    """No photo waits to be looked into."""
    return (older(server) == 0 and rows(server, "SELECT COUNT(*) FROM queue_outbox") == [(0,)]
            and rows(server, "SELECT COUNT(*) FROM queue_job WHERE state <> 3") == [(0,)])


def changes(person, since=0):
    reply = person.call("GET", f"/v1/changes?since={since}")
    assert reply.status_code == 200, reply.text
    return reply.json()["changes"]


def keep_places(person, keep=True):
    assert person.call("PUT", "/v1/library", {"keep_places": keep}).status_code == 200


def looks(server, result):
    return server.metric(f'imagesync_ingests_total{{result="{result}"}}')


def test_what_was_not_known_is_added_and_nothing_else_changes(ada, server):
    """The owner wants places only since then; and has said when it was taken."""
    there = settled(ada, send(ada, picture(1, exif=exif_of()), "a.jpg")[0])
    plain = settled(ada, send(ada, picture(2), "b.jpg")[0])
    there = changed(ada, there, captured="1999-01-01T00:00:00", caption="Home")
    keep_places(ada)
    files = [download(ada, f"/v1/photos/{there['id']}/{which}").content
             for which in ("mezzanine", "thumbnail", "original")]
    last = changes(ada)[-1]["seq"]
    nothing = looks(server, "nothing")
    age(server)
    assert eventually(lambda: done(server), 60)
    assert eventually(lambda: looks(server, "nothing") > nothing)
    now = photo_of(ada, there["id"])
    assert now["state"] == {**there["state"], "place": PLACE}
    assert photo_of(ada, plain["id"]) == plain
    (change,) = changes(ada, last)
    assert (change["id"], change["state"]) == (there["id"], now["state"])
    assert files == [download(ada, f"/v1/photos/{there['id']}/{which}").content
                     for which in ("mezzanine", "thumbnail", "original")]
    # And again there is nothing new.
    age(server)
    assert eventually(lambda: done(server), 60)
    assert changes(ada, last) == [change]


def test_what_is_read_of_a_file_since_then_is_shown(ada, server):
    """It has too many pixels for a server of before; a broken one stays what it is, and is not asked
    again."""
    server.stop()
    server.environment["IMAGESYNC_PIXELS_MAX_MP"] = "1"
    server.start()
    large = settled(ada, send(ada, picture(10, (1600, 1200), exif=exif_of()), "large.jpg")[0])
    broken = settled(ada, send(ada, picture(11)[:3000], "broken.jpg")[0])
    assert {photo["state"]["status"] for photo in (large, broken)} == {"unreadable"}
    server.stop()
    del server.environment["IMAGESYNC_PIXELS_MAX_MP"]
    server.start()
    last = changes(ada)[-1]["seq"]
    age(server)
    assert eventually(lambda: photo_of(ada, large["id"])["state"]["status"] == "ready", 60)
    assert eventually(lambda: done(server), 60)
    state = photo_of(ada, large["id"])["state"]
    assert "reason" not in state and (state["width"], state["height"]) == (1200, 1600)
    assert state["camera"]["model"] == "EOS R6" and state["renditions"]["mezzanine"]["height"] == 1600
    assert download(ada, f"/v1/photos/{large['id']}/thumbnail").status_code == 200
    assert visit(server, shared(ada, photos=[large["id"]]),
                 f"/photos/{large['id']}/original").headers["Content-Type"] == "image/jpeg"
    assert photo_of(ada, broken["id"]) == broken
    assert [change["id"] for change in changes(ada, last)] == [large["id"]]
    unreadable = looks(server, "unreadable")
    later = settled(ada, send(ada, picture(12))[0])
    assert later["state"]["status"] == "ready" and looks(server, "unreadable") == unreadable
    usage = rows(server, "SELECT SUM(files) - (SELECT COUNT(*) FROM sync_blob) FROM sync_usage")
    assert usage == [(0,)]


def test_new_photos_come_first_and_a_kill_loses_none(ada, server):
    ids = [send(ada, picture(seed, exif=exif_of()))[0] for seed in range(20, 45)]
    for photo_id in ids:
        settled(ada, photo_id)
    keep_places(ada)
    last = changes(ada)[-1]["seq"]

    def with_a_place():
        return [change["id"] for change in changes(ada, last) if "place" in change["state"]]

    for _ in range(2):
        age(server)
        before = len(with_a_place())
        assert eventually(lambda: older(server) < len(ids) or len(with_a_place()) > before, 60)
        server.kill()
        server.start()
    new, _ = send(ada, picture(50))
    assert settled(ada, new)["state"]["status"] == "ready"
    assert eventually(lambda: done(server), 60)
    assert sorted(with_a_place()) == sorted(ids)
    assert all(change["state"]["status"] == "ready" for change in changes(ada, last)
               if change["id"] != new)


def test_what_is_gone_is_not_asked_after(ada, server):
    photo = settled(ada, send(ada, picture(60))[0])
    ada.call("DELETE", f"/v1/photos/{photo['id']}")
    count = "SELECT COUNT(*) FROM sync_ingest"
    before = rows(server, count)[0][0]
    assert ada.call("DELETE", f"/v1/photos/{photo['id']}?purge=1").status_code == 200
    assert rows(server, count)[0][0] == before - 1
