# SPDX-License-Identifier: Apache-2.0
"""Films of a library: what they say of themselves, and Live Photos, whose halves find each other."""

import copy
import uuid

import pytest
import requests

from backends import running
from films import box, film, ftyp, live, moov
from library import changed, download, listed, photo_of, send, settled
from people import Person, problem
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]

PHONE = {"com.apple.quicktime.creationdate": "2026-05-04T12:30:01+0200",
         "com.apple.quicktime.location.ISO6709": "+47.3500+008.5500+432.1/",
         "com.apple.quicktime.make": "Apple", "com.apple.quicktime.model": "iPhone 15 Pro"}


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("films"), **CHEAP) as server:
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


def test_what_a_film_says(ada):
    content = film(1, texts=PHONE, seconds=2.5, size=(1440, 1080))
    photo_id, _ = send(ada, content, "IMG_1.MOV", "video/quicktime")
    state = settled(ada, photo_id)["state"]
    assert (state["status"], state["type"]) == ("ready", "video/quicktime") and "reason" not in state
    assert (state["captured"], state["offset"]) == ("2026-05-04T12:30:01", 120)
    assert state["camera"] == {"make": "Apple", "model": "iPhone 15 Pro"}
    assert (state["width"], state["height"], state["duration"]) == (1440, 1080, 2.5)
    assert "place" not in state and "renditions" not in state
    assert download(ada, f"/v1/photos/{photo_id}/original").content == content
    assert problem(download(ada, f"/v1/photos/{photo_id}/thumbnail")) == (404, "not_found")
    assert listed(ada, camera="iphone 15 pro") == [photo_id]
    assert listed(ada, **{"from": "2026-05-04", "to": "2026-05-04"}) == [photo_id]


def test_where_a_film_was_taken_only_if_the_owner_says_so(ada):
    ada.call("PUT", "/v1/library", {"keep_places": True})
    photo_id, _ = send(ada, film(2, texts=PHONE), "a.mov", "video/quicktime")
    place = settled(ada, photo_id)["state"]["place"]
    assert place == {"lat": 47.35, "lon": 8.55, "alt": 432.1}


@pytest.mark.parametrize("content, known", [
    (film(3, brand=b"isom", created=1777890600), {"captured": "2026-05-04T10:30:00", "offset": 0}),
    (ftyp(b"mp42") + moov() + box(b"mdat", b"4"), {}),
    (moov(seconds=0) + box(b"free", b"5"), {"duration": None}),
])
def test_films_of_other_kinds(ada, content, known):
    photo_id, _ = send(ada, content, "film", "video/mp4")
    state = settled(ada, photo_id)["state"]
    assert state["status"] == "ready" and state["width"] == 1440
    for name in ("captured", "offset"):
        assert state.get(name) == known.get(name), name
    assert state.get("duration") == known.get("duration", 2.5)


def test_a_broken_film_is_kept(ada):
    for i, content in enumerate((film(6)[:-40], ftyp() + box(b"mdat", bytes(90)),
                                 ftyp() + b"\0\0\0\1moov" + b"\xff" * 8 + bytes(50))):
        photo_id, _ = send(ada, content, f"{i}.mov", "video/quicktime")
        state = settled(ada, photo_id)["state"]
        assert (state["status"], state["reason"]) == (
            "unreadable", "The film is broken or ends too early.")
        assert download(ada, f"/v1/photos/{photo_id}/original").content == content


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
