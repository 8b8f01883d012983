# SPDX-License-Identifier: Apache-2.0
"""The library in the copy of one's data: all that is kept of it, and each file as it came."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import requests

from backends import running
from library import picture, send, settled
from people import Person
from test_accounts import CHEAP
from test_exports import ask, file_of, wait_until_ready

BACKENDS = ["embedded", "servers", "split"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("exports"), **CHEAP) as server:
        yield server


def download(person):
    """{name: bytes} of what is below library/."""
    wanted = ask(person)
    wait_until_ready(person, wanted)
    reply = file_of(person, wanted)
    assert reply.status_code == 200, reply.text
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        assert "library/" in archive.read("README.txt").decode()
        assert json.loads(archive.read("account.json"))["email"] == person.address
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name.removeprefix("library/"): archive.read(name) for name in names
                if name.startswith("library/")}


def objects(files):
    pages = [json.loads(files[name])["objects"] for name in files if name.startswith("objects-")]
    return {one["id"]: one for page in pages for one in page}


def files_of(server):
    return {path for path in (Path(server.blobs) / "blobs").rglob("*") if path.is_file()}


def test_all_of_a_library_is_in_it(server):
    ada, eve = Person(server), Person(server)
    beach, dunes, foreign = picture(1), picture(2, (320, 240)), picture(3)
    first = settled(ada, send(ada, beach, "Strand – größer.jpg")[0])["id"]
    second = settled(ada, send(ada, dunes, "IMG_1.jpg")[0])["id"]
    settled(eve, send(eve, foreign, "eve.jpg")[0])
    album = ada.call("POST", "/v1/albums", {"name": "Sylt"}).json()["id"]
    edit = ada.call("POST", "/v1/edits", {"photo": first, "recipe": {"crop": 1}}).json()["id"]
    share = ada.call("POST", "/v1/shares", {"album": album, "password": "open sesame"}).json()
    ada.call("PUT", "/v1/devices/me/cursor", {"seq": 1, "name": "Her phone"})
    ada.call("PUT", "/v1/library", {"keep_places": True})
    assert ada.call("DELETE", f"/v1/photos/{second}").status_code < 300

    files = download(ada)
    assert files[f"photos/{first} Strand – größer.jpg"] == beach
    assert files[f"trash/{second} IMG_1.jpg"] == dunes
    assert json.loads(files["unreadable.json"]) == {"unreadable": []}
    assert set(objects(files)) == {first, second, album, edit}
    told = ada.call("GET", "/v1/objects").json()["objects"]
    assert objects(files) == {one["id"]: one for one in told}
    (link,) = json.loads(files["shares-1.json"])["shares"]
    assert link["id"] == share["id"] and link["album"] == album and link["password"] is True
    assert [one["name"] for one in json.loads(files["devices.json"])["devices"]] == ["Her phone"]
    assert json.loads(files["settings.json"]) == {"keep_places": True}
    everything = b"".join(files.values())
    for secret in (share["token"].encode(), b"$argon2id", foreign):
        assert secret not in everything


def test_an_empty_library_is_shown_to_be_empty(server):
    files = download(Person(server))
    assert set(files) == {"settings.json", "devices.json", "shares-1.json", "objects-1.json",
                          "unreadable.json"}
    assert objects(files) == {}


def test_what_came_since_it_was_asked_for_is_in_it(server):
    ada = Person(server)
    wanted = ask(ada)
    wait_until_ready(ada, wanted)
    content = picture(4)
    photo = settled(ada, send(ada, content, "later.jpg")[0])["id"]
    with zipfile.ZipFile(io.BytesIO(file_of(ada, wanted).content)) as archive:
        assert archive.read(f"library/photos/{photo} later.jpg") == content


def test_a_damaged_file_keeps_no_other_from_it(server):
    ada = Person(server)
    lost, whole, half = (picture(seed) + bytes(size) for seed, size in (
        (5, 0), (6, 0), (7, 3 << 20)))
    before = files_of(server)
    first = send(ada, lost, "lost.jpg")[0]
    settled(ada, first)
    (gone,) = [path for path in files_of(server) - before if path.stat().st_size > len(lost)
               and path.stat().st_size < len(lost) + 64] or [None]
    second, before = settled(ada, send(ada, whole, "whole.jpg")[0])["id"], files_of(server)
    third = settled(ada, send(ada, half, "half.jpg")[0])["id"]
    (flipped,) = [path for path in files_of(server) - before if path.stat().st_size > 3 << 20]
    assert gone, "the file of the first photo"
    gone.unlink()
    with open(flipped, "r+b") as file:
        file.seek(-100, 2)
        byte = file.read(1)
        file.seek(-100, 2)
        file.write(bytes([byte[0] ^ 1]))

    files = download(ada)
    assert files[f"photos/{second} whole.jpg"] == whole
    assert f"photos/{first} lost.jpg" not in files
    (missing, broken) = json.loads(files["unreadable.json"])["unreadable"]
    assert missing == {"name": f"photos/{first} lost.jpg", "from": 0}
    assert broken["name"] == f"photos/{third} half.jpg" and broken["from"] > 0
    shown = files[broken["name"]]
    assert len(shown) == len(half) and shown[:broken["from"]] == half[:broken["from"]]


def test_a_download_that_broke_off_is_begun_again(server):
    """And a server that is killed amid it loses nothing."""
    ada = Person(server)
    contents = {settled(ada, send(ada, picture(seed) + bytes(4 << 20), "x.jpg")[0])["id"]:
                picture(seed) + bytes(4 << 20) for seed in (10, 11, 12)}
    wanted = ask(ada)
    wait_until_ready(ada, wanted)
    url = f"{server.url}/v1/me/exports/{wanted}/file"
    with requests.get(url, headers=ada.http.headers, stream=True, timeout=60) as reply:
        pieces = reply.iter_content(1 << 16)
        assert next(pieces)
        server.kill()
        with pytest.raises(requests.RequestException):
            for _ in pieces:
                pass
    server.start()
    ada.http.close()
    with zipfile.ZipFile(io.BytesIO(file_of(ada, wanted).content)) as archive:
        assert archive.testzip() is None
        for photo, content in contents.items():
            assert archive.read(f"library/photos/{photo} x.jpg") == content


@pytest.mark.parametrize("path", ["next", "read"])
def test_nobody_else_is_given_somebodys_library(backend, server, path):
    reply = requests.post(f"{server.url}/internal/v1/library/{path}", timeout=30,
                          json={"user_id": "01890a5d-ac96-774b-bcce-b302099a8057", "at": ""})
    assert reply.status_code == 404
    if backend == "split":
        reply = requests.post(f"{server.sync.url}/internal/v1/library/{path}", timeout=30,
                              json={"user_id": "01890a5d-ac96-774b-bcce-b302099a8057", "at": ""},
                              headers={"Authorization": "Bearer x.y.z"})
        assert reply.status_code == 401
