# SPDX-License-Identifier: Apache-2.0
"""Photos as one archive, made while it is sent."""

import io
import zipfile

import pytest
import requests

from backends import running
from harness import eventually
from library import changed, picture, send, settled
from people import Person, problem
from stores import store_of
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("zip"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def archive_of(reply):
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(reply.content))
    assert archive.testzip() is None
    return archive


def test_an_album_as_an_archive(ada, server):
    album = ada.call("POST", "/v1/albums", {"name": "Größe"}).json()["id"]
    contents = [picture(seed, (900, 600), quality=96) for seed in range(4)]
    names = ["Straße.jpg", "a.jpg", "A.jpg", "a.jpg"]
    for i, (content, name) in enumerate(zip(contents, names)):
        photo = settled(ada, send(ada, content, name)[0])
        changed(ada, photo, albums=[album], captured=f"2026-05-0{4 - i}T10:20:30")
    gone = settled(ada, send(ada, picture(9), "gone.jpg")[0])
    changed(ada, gone, albums=[album], trashed=True)
    settled(ada, send(ada, picture(10), "elsewhere.jpg")[0])
    reply = ada.call("GET", f"/v1/albums/{album}/zip")
    archive = archive_of(reply)
    assert reply.headers["Content-Disposition"].endswith("filename*=UTF-8''Gr%C3%B6%C3%9Fe.zip")
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert archive.namelist() == ["Straße.jpg", "a.jpg", "A (2).jpg", "a (3).jpg"]
    for name, content in zip(archive.namelist(), contents):
        assert archive.read(name) == content
        assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
    assert archive.getinfo("a.jpg").date_time == (2026, 5, 3, 10, 20, 30)
    assert problem(Person(server).call("GET", f"/v1/albums/{album}/zip")) == (404, "not_found")


def test_picked_photos_as_an_archive(ada, server):
    ids = [send(ada, picture(20 + i), f"{i}.jpg")[0] for i in range(3)]
    archive = archive_of(ada.call("POST", "/v1/zip", {"photos": [ids[2], ids[0], ids[2]]}))
    assert archive.namelist() == ["2.jpg", "0.jpg"]
    # What is not the caller's is not there.
    assert archive_of(Person(server).call("POST", "/v1/zip", {"photos": ids})).namelist() == []
    for photos in ([], ["x"], "x", ids * 400):
        assert problem(ada.call("POST", "/v1/zip", {"photos": photos})) == (400, "invalid_field")


def test_memory_stays_as_it_is(ada, server):
    ids = [send(ada, picture(30) + bytes([i]) * (24 << 20), f"{i}.jpg")[0] for i in range(8)]
    for photo_id in ids:
        settled(ada, photo_id)
    before = server.memory_peaks()
    total = 0
    with ada.http.post(server.url + "/v1/zip", json={"photos": ids}, stream=True,
                       timeout=120) as reply:
        for piece in reply.iter_content(1 << 20):
            total += len(piece)
    assert total > 8 * (24 << 20)
    after = server.memory_peaks()
    assert all(after[pid] - before[pid] < 48 for pid in before if pid in after), (before, after)


def posted(ada, server, ids):
    return ada.http.post(server.url + "/v1/zip", json={"photos": ids}, stream=True, timeout=120)


def test_a_store_that_fails_cuts_the_line(ada, server):
    contents = [picture(40 + i) + bytes([i]) * (mib << 20) for i, mib in enumerate((2, 7, 3))]
    ids = [send(ada, content, f"{i}.jpg")[0] for i, content in enumerate(contents)]
    for photo_id in ids:
        settled(ada, photo_id)
    store = store_of(server)
    (second,) = (name for name, size in store.sizes().items() if 7 << 20 < size < 15 << 19)
    sealed = bytearray(store.read(second))
    sealed[6 << 20] ^= 1
    store.write(second, bytes(sealed))
    received = b""
    with posted(ada, server, ids) as reply, pytest.raises(
            requests.exceptions.ChunkedEncodingError):
        for piece in reply.iter_content(1 << 16):
            received += piece
    assert contents[0] in received and len(received) > 7 << 20
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(received))
    assert archive_of(ada.call("POST", "/v1/zip", {"photos": [ids[2]]})).namelist() == ["2.jpg"]


def test_nobody_works_for_who_has_left(ada, server):
    ids = [send(ada, picture(50 + i) + bytes([i]) * (24 << 20), f"{i}.jpg")[0] for i in range(4)]
    for photo_id in ids:
        settled(ada, photo_id)
    requests_under_way = "imagesync_http_requests_in_flight"
    with posted(ada, server, ids) as reply:
        pieces = reply.iter_content(1 << 16)
        next(pieces)
        before = server.metric(requests_under_way)
    assert eventually(lambda: server.metric(requests_under_way) == before - 1)
