# SPDX-License-Identifier: Apache-2.0
"""The PyPI package tuspy, unmodified."""

import random

import pytest
from tusclient import client as tus
from tusclient.exceptions import TusCommunicationError
from tusclient.storage.filestorage import FileStorage

from harness import Server
from people import Person
from test_accounts import CHEAP
from uploading import JPEG, check, original


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("tuspy"), services="user,sync", **CHEAP)
    yield server
    server.stop()


@pytest.fixture
def ada(library):
    return Person(library)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG + random.Random(5).randbytes(1_000_000))
    return path


def client_of(person):
    return tus.TusClient(person.server.url + "/v1/uploads",
                         headers={"Authorization": person.http.headers["Authorization"]})


def photo_of(person, file):
    ((status, photo),) = check(person, file.read_bytes())
    assert status == "known"
    assert original(person, photo) == file.read_bytes()
    return person.call("GET", f"/v1/photos/{photo}").json()["state"]


@pytest.mark.parametrize("chunk", [100_000, 300_001, 10_000_000])
def test_in_chunks(ada, file, chunk):
    uploader = client_of(ada).uploader(str(file), chunk_size=chunk,
                                       metadata={"filename": "Strand.jpg"})
    uploader.upload()
    assert photo_of(ada, file)["name"] == "Strand.jpg"


def test_with_checksums(ada, file):
    client_of(ada).uploader(str(file), chunk_size=250_000, upload_checksum=True).upload()
    photo_of(ada, file)


def test_goes_on_after_it_was_stopped(ada, file, tmp_path):
    storage = FileStorage(str(tmp_path / "storage.json"))

    def uploader():
        return client_of(ada).uploader(str(file), chunk_size=200_000, store_url=True,
                                       url_storage=storage)

    first = uploader()
    first.upload(stop_at=400_000)
    second = uploader()
    assert second.url == first.url and second.offset == 400_000
    second.upload()
    photo_of(ada, file)


def test_what_is_no_photo(ada, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"hello")
    with pytest.raises(TusCommunicationError) as caught:
        client_of(ada).uploader(str(tmp_path / "a.txt")).upload()
    assert caught.value.status_code == 415
