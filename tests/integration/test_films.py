# SPDX-License-Identifier: Apache-2.0
"""Films of a library: what they say of themselves."""

import pytest

from backends import running
from films import box, film, ftyp, moov
from library import download, listed, send, settled
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
