# SPDX-License-Identifier: Apache-2.0
"""Photos that belong together: the halves of a Live Photo, a raw file and its JPEG. They find each
other and stay together."""

import copy
import io
import uuid
import zipfile

import pytest
import requests
from PIL import Image

from backends import running
from films import film, live
from library import changed, listed, photo_of, picture, send, settled
from people import Person
from test_accounts import CHEAP
from uploading import uploaded

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("pairs"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def identifier():
    return str(uuid.uuid4()).upper()


def another_device(person):
    other = copy.copy(person)
    other.http = requests.Session()
    other.keep(person.sign_in())
    return other


def paired(person, *ids):
    """Whether they are the halves of one pair, by the state of both."""
    one, two = (photo_of(person, photo_id)["state"] for photo_id in ids)
    return (one.get("pair"), two.get("pair")) == (ids[1], ids[0])


@pytest.mark.parametrize("order", [0, 1])
def test_a_live_photo_finds_its_other_half(ada, order):
    """From two devices, under names that say nothing, whichever comes first; and again."""
    halves = [(content, name, "x/y") for content, name in zip(live(identifier(), order),
                                                              ("photo.jpg", "film.mov"))]
    tablet = another_device(ada)
    if order:
        halves.reverse()
    first, _ = send(ada, *halves[0])
    before = settled(ada, first)
    assert "pair" not in before["state"]
    second, _ = send(tablet, *halves[1])
    settled(ada, second)
    assert paired(ada, first, second)
    changes = ada.call("GET", f"/v1/changes?since={before['seq']}").json()["changes"]
    assert [change["id"] for change in changes[-2:]] in ([first, second], [second, first])
    again = [photo_of(ada, photo_id) for photo_id in (first, second)]
    assert [send(ada, *half) for half in halves] == [(first, "known"), (second, "known")]
    assert [photo_of(ada, photo_id) for photo_id in (first, second)] == again
    ada.call("DELETE", f"/v1/photos/{second}")
    assert sorted(listed(ada, trashed="true")) == sorted([first, second]) and listed(ada) == []


def test_the_camera_knows_better_than_names(ada):
    """Two phones count their pictures alike; an identifier is no word to be found by."""
    one, two = (live(identifier(), seed) for seed in (20, 21))
    ids = [send(ada, content, name, "x/y")[0] for content, name in (
        (one[0], "IMG_1.HEIC"), (two[1], "IMG_1.MOV"), (two[0], "IMG_1.HEIC"),
        (one[1], "IMG_1.MOV"))]
    for photo_id in ids:
        settled(ada, photo_id)
    assert paired(ada, ids[0], ids[3]) and paired(ada, ids[1], ids[2])
    for photo_id in ids:
        identified = photo_of(ada, photo_id)["state"]["content_id"]
        assert listed(ada, text=identified) == []


def test_a_picture_in_a_box_says_it_too(ada):
    """HEIC, which phones send, and AVIF are one container, and read by one library."""
    still, moving = live(identifier(), 25)
    image, boxed = Image.open(io.BytesIO(still)), io.BytesIO()
    image.save(boxed, "AVIF", exif=image.info["exif"])
    ids = [send(ada, boxed.getvalue(), "a", "x/y")[0], send(ada, moving, "b", "x/y")[0]]
    for photo_id in ids:
        settled(ada, photo_id)
    assert paired(ada, *ids)


def test_two_of_one_kind_are_no_pair(ada):
    name = identifier()
    ids = [send(ada, live(name, seed)[0], f"{seed}.jpg")[0] for seed in (30, 31)]
    for photo_id in ids:
        settled(ada, photo_id)
    assert not any("pair" in photo_of(ada, photo_id)["state"] for photo_id in ids)


def test_what_the_owner_files_stays_with_both(ada):
    album = ada.call("POST", "/v1/albums", {"name": "Live"}).json()["id"]
    still, moving = live(identifier(), 40)
    first = settled(ada, send(ada, still, "a.jpg")[0])
    changed(ada, first, albums=[album])
    second = send(ada, moving, "b.mov", "video/quicktime")[0]
    settled(ada, second)
    assert paired(ada, first["id"], second)
    assert sorted(listed(ada, album=album)) == sorted([first["id"], second])


def test_pictures_and_films_without_identifiers_go_by_time(ada):
    """Its own clock counts in UTC."""
    exif = {"com.apple.quicktime.creationdate": "2026-05-04T12:30:01+0200"}
    near = send(ada, film(50, texts=exif), "P1.mov", "video/quicktime")[0]
    far = send(ada, film(51, created=1777890600 + 3600), "P1.mov", "video/quicktime")[0]
    for photo_id in (near, far):
        settled(ada, photo_id)
    still = send(ada, live(identifier(), 50)[0], "P1.jpg")[0]
    settled(ada, still)
    assert paired(ada, still, near) and "pair" not in photo_of(ada, far)["state"]


def raw(seed, taken="2026:05:04 12:30:00"):
    """A raw file that is a TIFF, as far as anybody looks into it."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0xC612] = "Leica", "Q3", bytes([1, 4, 0, 0])
    exif.get_ifd(0x8769).update({0x9003: taken})
    return exif.tobytes()[6:] + bytes([seed]) * 100


def raw_and_jpeg(ada, seed):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2026:05:04 12:30:00"})
    contents = {"L1.DNG": raw(seed), "L1.JPG": picture(seed, exif=exif)}
    ids = [send(ada, content, name, "x/y")[0] for name, content in contents.items()]
    for photo_id in ids:
        settled(ada, photo_id)
    assert paired(ada, *ids)
    return contents, ids


def test_a_raw_file_and_its_jpeg(ada):
    _, ids = raw_and_jpeg(ada, 70)
    state = photo_of(ada, ids[0])["state"]
    assert (state["status"], state["type"]) == ("unreadable", "image/x-adobe-dng")
    assert (state["captured"], state["camera"]) == ("2026-05-04T12:30:00",
                                                    {"make": "Leica", "model": "Q3"})
    later, _ = send(ada, raw(71, taken="2026:05:04 12:31:00"), "L2.DNG", "x/y")
    other, _ = send(ada, live(identifier(), 72)[0], "L2.JPG")
    for photo_id in (later, other):
        settled(ada, photo_id)
    assert not paired(ada, later, other)


def test_a_pair_stays_together(ada, server):
    contents, ids = raw_and_jpeg(ada, 80)
    alone = settled(ada, send(ada, picture(81), "alone.jpg")[0])
    album = ada.call("POST", "/v1/albums", {"name": "A"}).json()["id"]
    for one, other in (ids, ids[::-1]):
        changed(ada, photo_of(ada, one), albums=[album])
        assert sorted(listed(ada, album=album)) == sorted(ids)
        changed(ada, photo_of(ada, other), albums=[])
        assert listed(ada, album=album) == []
    changed(ada, photo_of(ada, ids[0]), albums=[album])

    def archive(reply):
        assert reply.status_code == 200, reply.text
        files = zipfile.ZipFile(io.BytesIO(reply.content))
        return {name: files.read(name) for name in files.namelist()}

    assert archive(ada.call("GET", f"/v1/albums/{album}/zip")) == contents
    for one in ids:
        assert archive(ada.call("POST", "/v1/zip", {"photos": [one]})) == contents
        share = ada.call("POST", "/v1/shares", {"photos": [one], "keep_metadata": True}).json()
        shown = requests.get(server.url + share["path"], timeout=60).json()["photos"]
        assert [photo["id"] for photo in shown] == [one, *(i for i in ids if i != one)]
        assert archive(requests.get(server.url + share["path"] + "/zip", timeout=60)) == contents
        for photo_id, content in zip(ids, contents.values()):
            file = requests.get(f"{server.url}{share['path']}/photos/{photo_id}/original", timeout=60)
            assert file.content == content
        file = requests.get(f"{server.url}{share['path']}/photos/{alone['id']}/original", timeout=60)
        assert file.status_code == 404
    for one in ids:
        ada.call("DELETE", f"/v1/photos/{one}")
        assert listed(ada) == [alone["id"]] and len(listed(ada, trashed="true")) == 2
        changed(ada, photo_of(ada, one), trashed=False)
        assert len(listed(ada)) == 3
    ada.call("DELETE", f"/v1/photos/{ids[0]}")
    assert ada.call("DELETE", f"/v1/photos/{ids[1]}?purge=1").status_code == 200
    assert [ada.call("GET", f"/v1/photos/{photo_id}").status_code for photo_id in ids] == [404, 404]


def test_what_a_device_says_counts_more_than_the_camera(ada):
    still, moving = live(identifier(), 90)
    first, _ = uploaded(ada, still, filename="a.jpg", pair="one")
    camera, _ = uploaded(ada, moving, filename="b.mov")
    for photo_id in (first, camera):
        settled(ada, photo_id)
    assert paired(ada, first, camera)
    device, _ = uploaded(ada, film(91), filename="c.mov", pair="one")
    settled(ada, device)
    assert paired(ada, first, device) and "pair" not in photo_of(ada, camera)["state"]
    third, _ = uploaded(ada, film(92), filename="d.mov", pair="one")
    settled(ada, third)
    assert paired(ada, first, device) and "pair" not in photo_of(ada, third)["state"]
    # Another device sends what is known, and says what belongs together.
    for content in (still, moving):
        assert uploaded(ada, content, filename="x", pair="two")[1] == "known"
    assert paired(ada, first, camera) and "pair" not in photo_of(ada, device)["state"]
