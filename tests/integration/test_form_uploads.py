# SPDX-License-Identifier: Apache-2.0
"""Files of forms: curl -F, several at once, names of all kinds, what is no photo among what is."""

import shutil
import subprocess

import pytest
import requests

from backends import running
from people import Person, problem
from test_accounts import CHEAP
from uploading import check, jpeg

BACKENDS = ["embedded", "servers"]
PATH = "/v1/photos"
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("forms"), services="user,sync",
                 upload_max_mib=8, **CHEAP) as server:
        yield server


@pytest.fixture(scope="module")
def ada(server):
    return Person(server)


def send(person, *files):
    return person.http.post(person.server.url + PATH, timeout=60,
                            files=[("file", file) for file in files])


def test_curl(ada, tmp_path):
    first, second = jpeg(3 * MIB), jpeg()
    (tmp_path / "first.jpg").write_bytes(first)
    (tmp_path / "second.jpg").write_bytes(second)
    out = subprocess.run(
        [shutil.which("curl"), "-sS", "--fail-with-body", "-H",
         f"Authorization: {ada.http.headers['Authorization']}", "-F", "file=@first.jpg",
         "-F", "note=hello", "-F", "file=@second.jpg", ada.server.url + PATH],
        cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout
    photos = requests.models.complexjson.loads(out)["photos"]
    assert [(photo["name"], photo["status"]) for photo in photos] == [
        ("first.jpg", "added"), ("second.jpg", "added")]
    assert check(ada, first, second) == [("known", photo["id"]) for photo in photos]


def test_one_that_is_no_photo_keeps_no_other_out(ada):
    known = jpeg()
    assert send(ada, ("a.jpg", known)).status_code == 201
    reply = send(ada, ("a.pdf", b"%PDF-1.7"), ("b.jpg", jpeg()), ("c.jpg", b""),
                 ("d.jpg", jpeg(9 * MIB)), ("e.jpg", known))
    assert reply.status_code == 201
    assert [(photo["name"], photo["status"], photo.get("code"))
            for photo in reply.json()["photos"]] == [
        ("a.pdf", "refused", "unsupported_type"), ("b.jpg", "added", None),
        ("c.jpg", "refused", "empty_file"), ("d.jpg", "refused", "too_large"),
        ("e.jpg", "known", None)]
    assert problem(send(ada, ("a.pdf", b"%PDF-1.7"))) == (415, "unsupported_type")
    assert problem(send(ada, ("a.jpg", b""))) == (400, "empty_file")


@pytest.mark.parametrize("sent, kept", [
    ("../../etc/passwd", "passwd"), ("C:\\photos\\a.jpg", "a.jpg"), ("..", "photo"), ("", None),
    ("a\tb\x7f.jpg", "ab.jpg"), ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"), ("/", "photo"),
    ("é" * 200 + ".jpg", "é" * 125 + ".jpg"), ("a‮gpj.exe", "agpj.exe"), ("<b>&.jpg", "<b>&.jpg")])
def test_names(ada, sent, kept):
    body = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
            + sent.replace("\\", "\\\\").encode() + b'"\r\n\r\n' + jpeg() + b"\r\n--x--\r\n")
    reply = ada.http.post(ada.server.url + PATH, data=body, timeout=30,
                          headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert reply.json()["photos"][0]["name"] == (kept or "photo")


@pytest.mark.parametrize("body", [
    b"", b"--x--", b"--x\r\n\r\n\r\n--x--", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n\xff\xd8\xff'])
def test_forms_that_are_none(server, body):
    ada = Person(server)  # of whose photos none is being looked into
    before = ada.call("GET", "/v1/library").json()
    reply = ada.http.post(ada.server.url + PATH, data=body, timeout=30,
                          headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert problem(reply)[0] == 400
    assert ada.call("GET", "/v1/library").json() == before


def test_who_may(ada):
    assert problem(requests.post(ada.server.url + PATH, files={"file": b"x"}, timeout=30)) == (
        401, "signed_out")
    assert problem(ada.http.post(ada.server.url + PATH, data=jpeg(), timeout=30,
                                 headers={"Content-Type": "image/jpeg"})) == (
        415, "unsupported_media_type")
