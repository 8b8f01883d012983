# SPDX-License-Identifier: Apache-2.0
"""What is found out about a new photo: by workers that read its file, once."""

import io

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

import harness
from backends import running
from library import changed, download, listed, photo_of, picture, send, settled
from people import Person, problem
from test_accounts import CHEAP
from test_erasure import execute

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("ingest"), trash_days=0, trash_every_s=1,
                 **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def exif_of(taken="2026:05:04 12:30:00", model="EOS R6", place=True):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", model
    exif[0x0112] = 6  # to be turned by 90 degrees
    exif.get_ifd(0x8769).update({0x9003: taken, 0x9011: "+02:00", 0x829A: IFDRational(1, 200),
                                 0x829D: IFDRational(28, 10), 0x8827: 400,
                                 0x920A: IFDRational(35, 1), 0xA434: "RF35mm"})
    if place:
        exif.get_ifd(0x8825).update({
            1: "N", 2: tuple(map(IFDRational, (47, 21, 0))),
            3: "E", 4: tuple(map(IFDRational, (8, 33, 0)))})
    return exif


def look_at(reply):
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


def test_metadata_and_renditions(ada):
    photo_id, _ = send(ada, picture(1, (3000, 2000), exif=exif_of()), "IMG_1.JPG")
    state = settled(ada, photo_id)["state"]
    assert state["status"] == "ready" and "reason" not in state
    assert (state["captured"], state["offset"]) == ("2026-05-04T12:30:00", 120)
    assert state["camera"] == {"make": "Canon", "model": "EOS R6", "lens": "RF35mm"}
    assert state["exposure"] == {"seconds": 0.005, "f_number": 2.8, "iso": 400,
                                 "focal_length_mm": 35.0}
    assert (state["width"], state["height"]) == (2000, 3000)
    assert len(state["phash"]) == 16
    for name, side in (("mezzanine", 2048), ("thumbnail", 512)):
        said = state["renditions"][name]
        reply = download(ada, f"/v1/photos/{photo_id}/{name}")
        image = look_at(reply)
        assert image.size == (said["width"], said["height"])
        assert side * 15 // 16 <= image.height <= side and image.width < image.height
        assert reply.headers["Content-Type"] == said["type"] == "image/jpeg"
        assert int(reply.headers["Content-Length"]) == said["size"]
        assert 'filename="IMG_1.jpg"' in reply.headers["Content-Disposition"]
        assert not image.getexif()


def test_found_by_its_camera(ada):
    photo_id, _ = send(ada, picture(2, exif=exif_of(model="EOS R7")))
    settled(ada, photo_id)
    for query in ({"camera": "eos r7"}, {"camera": "Canon EOS R7"}, {"text": "canon r7"},
                  {"text": "rf35"}, {"from": "2026-05-04", "to": "2026-05-04"}):
        assert listed(ada, **query) == [photo_id], query
    assert listed(ada, camera="EOS") == []


def test_places_are_kept_only_if_the_owner_says_so(ada):
    first, _ = send(ada, picture(3, exif=exif_of()))
    assert "place" not in settled(ada, first)["state"]
    reply = ada.call("PUT", "/v1/library", {"keep_places": True})
    assert reply.status_code == 200 and reply.json()["keep_places"] is True
    assert ada.call("GET", "/v1/library").json()["keep_places"] is True
    second, _ = send(ada, picture(4, exif=exif_of()))
    place = settled(ada, second)["state"]["place"]
    assert abs(place["lat"] - 47.35) < 1e-6 and abs(place["lon"] - 8.55) < 1e-6
    assert problem(ada.call("PUT", "/v1/library", {"keep_places": "yes"})) == (
        400, "invalid_field")


def test_what_cannot_be_read_is_kept_and_holds_up_nobody(ada):
    broken = picture(5, (800, 600))[:5000]
    bad, _ = send(ada, broken, "broken.jpg")
    raw, _ = send(ada, b"FUJIFILMCCD-RAW 0201FF383501" + bytes(100), "a.raf", "image/x-fuji-raf")
    good, _ = send(ada, picture(6))
    assert settled(ada, good)["state"]["status"] == "ready"
    for photo_id, content in ((bad, broken), (raw, b"FUJIFILMCCD-RAW 0201FF383501" + bytes(100))):
        state = settled(ada, photo_id)["state"]
        assert state["status"] == "unreadable" and state["reason"].endswith("."), state
        assert download(ada, f"/v1/photos/{photo_id}/original").content == content
        assert problem(download(ada, f"/v1/photos/{photo_id}/thumbnail")) == (404, "not_found")


def test_what_the_owner_says_of_the_time_stays(ada, server):
    photo_id, _ = send(ada, picture(7))
    photo = changed(ada, settled(ada, photo_id), captured="1999-01-02T03:04:05")
    assert photo["state"]["captured"] == "1999-01-02T03:04:05"
    server.kill()
    server.start()
    ada.server = server
    assert photo_of(ada, photo_id) == photo


def test_photos_that_look_alike(ada):
    image, out = harness.photo(), io.BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(out, "JPEG", quality=60)
    one, _ = send(ada, harness.encode(image), "one.jpg")
    two, _ = send(ada, out.getvalue(), "two.jpg")
    other, _ = send(ada, picture(8))
    for photo_id in (one, two, other):
        assert settled(ada, photo_id)["state"]["status"] == "ready"
    similar = ada.call("GET", f"/v1/photos/{one}/similar").json()["similar"]
    assert [found["photo"] for found in similar] == [photo_of(ada, two)]
    assert 0 <= similar[0]["distance"] <= 10
    assert ada.call("GET", f"/v1/photos/{other}/similar").json() == {"similar": []}


def a_film():
    return b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(64)


@pytest.mark.parametrize("order", [0, 1])
def test_a_pair_goes_the_same_ways(ada, order):
    files = [(picture(9 + order, exif=exif_of()), f"IMG_{order}.HEIC", "image/jpeg"),
             (a_film() + bytes([order]), f"img_{order}.mov", "video/quicktime")]
    if order:
        files.reverse()
    ids = []
    for file in files:
        ids.append(send(ada, *file)[0])
        settled(ada, ids[-1])
    alone, _ = send(ada, picture(20), "other.jpg")
    settled(ada, alone)
    one, two = (photo_of(ada, photo_id) for photo_id in ids)
    assert (one["state"]["pair"], two["state"]["pair"]) == (two["id"], one["id"])
    ada.call("DELETE", f"/v1/photos/{one['id']}")
    # The setting trash_days is 0 here: the next round removes both for good.
    assert harness.eventually(lambda: listed(ada) == [alone] and listed(ada, trashed="true") == [])
    assert [ada.call("GET", f"/v1/photos/{photo_id}").status_code for photo_id in ids] == [404, 404]


def test_what_is_in_the_trash_when_it_is_looked_into_is_no_half(backend, tmp_path):
    with running(backend, tmp_path, services="user,sync", **CHEAP) as server:
        ada = Person(server)
        kept, _ = send(ada, picture(22, exif=exif_of()), "IMG_3.HEIC")
        thrown, _ = send(ada, a_film(), "img_3.mov", "video/quicktime")
        assert ada.call("DELETE", f"/v1/photos/{thrown}").status_code == 200
        server.stop()
        server.environment["IMAGESYNC_SERVICES"] = "user,sync,worker"
        server.start()
        assert not any("pair" in settled(ada, photo)["state"] for photo in (kept, thrown))


def test_the_trash_is_emptied_although_the_clock_was_set_back(ada):
    photo, _ = send(ada, picture(21), "old.jpg")
    settled(ada, photo)
    execute(ada.server, "UPDATE sync_setting SET value = '00099999999999999999'"
                        " WHERE name = 'trash-lease'")
    ada.call("DELETE", f"/v1/photos/{photo}")
    assert harness.eventually(lambda: ada.call("GET", f"/v1/photos/{photo}").status_code == 404)


def test_names_that_are_alike_are_no_pair(ada):
    ids = [send(ada, *file)[0] for file in (
        (picture(30), "a.jpg", "image/jpeg"), (picture(31), "a.jpg", "image/jpeg"),
        (a_film() + b"x", "b.mov", "video/quicktime"))]
    for photo_id in ids:
        assert "pair" not in settled(ada, photo_id)["state"]


def test_the_trash_is_emptied_when_its_time_is_over(ada, server):
    photo_id, _ = send(ada, picture(40))
    settled(ada, photo_id)
    ada.call("DELETE", f"/v1/photos/{photo_id}")
    assert harness.eventually(
        lambda: ada.call("GET", f"/v1/photos/{photo_id}").status_code == 404)
    changes = ada.call("GET", "/v1/changes").json()["changes"]
    assert changes[-1]["id"] == photo_id and changes[-1]["removed"] is True
    assert server.metric("imagesync_photos_purged_total") > 0
