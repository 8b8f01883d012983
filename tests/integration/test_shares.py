# SPDX-License-Identifier: Apache-2.0
"""Links that show photos to whoever has them."""

import io
import time
import zipfile

import pytest
import requests

from backends import running
from library import changed, picture, send, settled
from people import Person, problem
from test_accounts import CHEAP
from test_changes import uuid7

BACKENDS = ["embedded", "servers"]
PRIVATE = {"place", "camera", "tags", "albums", "favourite", "blob", "pair", "edit", "phash"}


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("shares"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def shared(ada, **body):
    reply = ada.call("POST", "/v1/shares", body)
    assert reply.status_code == 201, reply.text
    return reply.json()


def visit(server, share, path="", method="GET", **kwargs):
    return requests.request(method, server.url + share["path"] + path, timeout=60, **kwargs)


def album_of(ada, *contents):
    album = ada.call("POST", "/v1/albums", {"name": "Fest"}).json()["id"]
    photos = []
    for i, content in enumerate(contents):
        photo = settled(ada, send(ada, content, f"{i}.jpg")[0])
        photos.append(changed(ada, photo, albums=[album], captured=f"2026-05-0{i + 1}T00:00:00"))
    return album, photos


def test_an_album_is_shown_to_who_has_the_link(ada, server):
    contents = [picture(1, (800, 600)), picture(2)]
    album, photos = album_of(ada, *contents)
    share = shared(ada, album=album, name="Unser Fest")
    reply = visit(server, share)
    assert reply.status_code == 200, reply.text
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in reply.headers["X-Robots-Tag"]
    page = reply.json()
    assert (page["name"], page["allow_download"]) == ("Unser Fest", True)
    assert [photo["id"] for photo in page["photos"]] == [photos[1]["id"], photos[0]["id"]]
    assert not PRIVATE & set(page["photos"][0])
    assert "blob" not in page["photos"][0]["renditions"]["thumbnail"]
    for rendition in ("thumbnail", "mezzanine", "original"):
        file = visit(server, share, f"/photos/{photos[0]['id']}/{rendition}")
        assert file.status_code == 200 and file.headers["Content-Type"] == "image/jpeg"
    assert file.content == contents[0]
    assert problem(visit(server, share, f"/photos/{photos[0]['id']}/other")) == (404, "not_found")
    archive = zipfile.ZipFile(io.BytesIO(visit(server, share, "/zip").content))
    assert {archive.read(name) for name in archive.namelist()} == set(contents)


def test_a_link_shows_nothing_else(ada, server):
    album, photos = album_of(ada, picture(3), picture(4))
    other = settled(ada, send(ada, picture(5))[0])
    share = shared(ada, photos=[photos[0]["id"]])
    assert [photo["id"] for photo in visit(server, share).json()["photos"]] == [photos[0]["id"]]
    for photo in (photos[1], other):
        file = visit(server, share, f"/photos/{photo['id']}/thumbnail")
        assert problem(file) == (404, "not_found")
    by_album = shared(ada, album=album)
    assert visit(server, by_album, f"/photos/{other['id']}/thumbnail").status_code == 404
    changed(ada, photos[1], albums=[])
    assert visit(server, by_album, f"/photos/{photos[1]['id']}/thumbnail").status_code == 404
    ada.call("DELETE", f"/v1/photos/{photos[0]['id']}")
    assert visit(server, by_album).json()["photos"] == []
    assert visit(server, share, f"/photos/{photos[0]['id']}/original").status_code == 404


def test_a_link_that_was_taken_back_or_is_wrong_opens_nothing(ada, server):
    _, photos = album_of(ada, picture(6))
    share = shared(ada, photos=[photos[0]["id"]])
    path = f"/photos/{photos[0]['id']}/thumbnail"
    assert visit(server, share, path).status_code == 200
    token = share["token"]
    for wrong in (token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBAA"), "A" * 86):
        assert problem(visit(server, {"path": f"/v1/shared/{wrong}"})) == (404, "not_found")
    for wrong in ("x", token + "A", token[:-1], token[:-1] + "%C3%BC"):
        assert problem(visit(server, {"path": f"/v1/shared/{wrong}"})) == (400, "invalid_field")
    assert problem(Person(server).call("DELETE", f"/v1/shares/{share['id']}")) == (
        404, "not_found")
    assert ada.call("DELETE", f"/v1/shares/{share['id']}").status_code == 204
    for gone in ("", path, "/zip"):
        assert problem(visit(server, share, gone)) == (404, "not_found")
    assert ada.call("GET", "/v1/shares").json() == {"shares": []}


def test_links_are_listed_without_their_secret(ada):
    _, photos = album_of(ada, picture(7))
    share = shared(ada, photos=[photos[0]["id"]], password="geheimes Wort", allow_download=False)
    (listed,) = ada.call("GET", "/v1/shares").json()["shares"]
    assert listed == ada.call("GET", f"/v1/shares/{share['id']}").json()
    assert listed["password"] is True and listed["allow_download"] is False
    assert not {"token", "path", "password_hash"} & set(listed)


def test_a_link_expires(ada, server):
    _, photos = album_of(ada, picture(8))
    share = shared(ada, photos=[photos[0]["id"]], expires=int(time.time() * 1000) + 1500)
    assert visit(server, share).json()["expires"] == share["expires"]
    while time.time() * 1000 <= share["expires"]:
        assert visit(server, share).status_code in (200, 404)
    assert problem(visit(server, share)) == (404, "not_found")


def test_a_link_that_has_expired_is_answered_again_as_it_was(ada):
    _, photos = album_of(ada, picture(13))
    body = {"photos": [photos[0]["id"]], "expires": int(time.time() * 1000) + 1500}
    key = {"Idempotency-Key": uuid7()}
    first = ada.call("POST", "/v1/shares", body, headers=key)
    assert first.status_code == 201, first.text
    while time.time() * 1000 <= body["expires"]:
        assert ada.call("GET", "/v1/shares").status_code == 200
    again = ada.call("POST", "/v1/shares", body, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert problem(ada.call("POST", "/v1/shares", body)) == (400, "invalid_field")


def test_originals_only_where_they_may_be_downloaded(ada, server):
    _, photos = album_of(ada, picture(9))
    share = shared(ada, photos=[photos[0]["id"]], allow_download=False)
    assert visit(server, share, f"/photos/{photos[0]['id']}/mezzanine").status_code == 200
    for path in (f"/photos/{photos[0]['id']}/original", "/zip"):
        assert problem(visit(server, share, path)) == (403, "download_not_allowed")


def unlock(server, share, password, **kwargs):
    return visit(server, share, "/unlock", "POST", json={"password": password}, **kwargs)


def test_a_password(ada, server):
    _, photos = album_of(ada, picture(10))
    share = shared(ada, photos=[photos[0]["id"]], password="geheimes Wort")
    paths = ("", f"/photos/{photos[0]['id']}/thumbnail", "/zip")
    for path in paths:
        assert problem(visit(server, share, path)) == (401, "password_required")
    assert problem(unlock(server, share, "falsches Wort")) == (403, "wrong_password")
    right = unlock(server, share, "geheimes Wort")
    assert right.status_code == 200
    for path in paths:
        assert visit(server, share, path, cookies=right.cookies).status_code == 200
        by_header = visit(server, share, path, headers={"Share-Pass": right.json()["pass"]})
        assert by_header.status_code == 200
    assert "HttpOnly" in right.headers["Set-Cookie"]
    other = shared(ada, photos=[photos[0]["id"]], password="geheimes Wort")
    assert problem(visit(server, other, headers={"Share-Pass": right.json()["pass"]})) == (
        401, "password_required")
    right = right.json()["pass"]
    for wrong in ("x", right[:-2] + ("AA" if right[-2:] != "AA" else "BA"), "A" * 54):
        assert visit(server, share, headers={"Share-Pass": wrong}).status_code == 401


def test_passwords_are_not_guessed_at_leisure(ada, server):
    _, photos = album_of(ada, picture(11))
    share = shared(ada, photos=[photos[0]["id"]], password="geheimes Wort")
    codes = [problem(unlock(server, share, f"falsch {i}"))[1] for i in range(8)]
    assert codes[:5] == ["wrong_password"] * 5 and "too_many_attempts" in codes
    held = unlock(server, share, "geheimes Wort")
    if held.status_code == 429:
        assert int(held.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("body", [
    {}, {"photos": []}, {"photos": ["x"]}, {"album": "x"},
    {"album": "0190163d-8694-739b-aea5-966c26f8ad90"},
    {"photos": ["0190163d-8694-739b-aea5-966c26f8ad90"]}, {"expires": 1}, {"password": "kurz"},
    {"name": "x" * 201}, {"more": 1}, {"expires": -1}, {"expires": 1e300}])
def test_what_is_no_link_is_refused(ada, body):
    if not {"photos", "album"} & set(body) and body:
        body = {**body, "photos": [send(ada, picture(12))[0]]}
    assert problem(ada.call("POST", "/v1/shares", body)) == (400, "invalid_field")
