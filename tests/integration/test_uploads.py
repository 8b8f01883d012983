# SPDX-License-Identifier: Apache-2.0
"""Files come into a library by tus: what its extensions promise, and what is refused."""

import base64
import hashlib

import pytest
import requests

from backends import running
from people import Person, problem
from test_accounts import CHEAP
from uploading import (
    JPEG, OCTETS, PATH, TUS, check, create, created, head, jpeg, metadata, offset, original, patch,
    uploaded)

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("uploads"), services="user,sync",
                 upload_max_mib=8, **CHEAP) as server:
        yield server


@pytest.fixture(scope="module")
def ada(server):
    return Person(server)


def test_what_the_server_speaks(server):
    reply = requests.options(server.url + PATH, timeout=30)
    assert reply.status_code == 204
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert reply.headers["Tus-Max-Size"] == str(8 << 20)
    assert reply.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert {"creation", "creation-with-upload", "expiration", "checksum", "termination",
            "concatenation"} <= set(reply.headers["Tus-Extension"].split(","))


def test_a_file_becomes_a_photo_once(ada):
    data = jpeg()
    assert check(ada, data) == [("unknown", None)]
    photo, status = uploaded(ada, data, filename="a.jpg")
    assert status == "added"
    assert check(ada, data, jpeg()) == [("known", photo), ("unknown", None)]
    assert original(ada, photo) == data
    assert uploaded(ada, data) == (photo, "known")
    # Others have libraries of their own.
    assert check(Person(ada.server), data) == [("unknown", None)]


def test_what_was_deleted_comes_back_only_when_it_is_wanted(ada):
    """A device that sends all it finds must not bring back what another one deleted."""
    data = jpeg()
    photo, _ = uploaded(ada, data, filename="gone.jpg")
    path = f"/v1/photos/{photo}"
    ada.call("DELETE", path)
    assert check(ada, data) == [("deleted", photo)]
    assert uploaded(ada, data, deleted="skip") == (photo, "skipped")
    assert "trashed" in ada.call("GET", path).json()["state"]
    assert uploaded(ada, data, deleted="restore") == (photo, "restored")
    assert "trashed" not in ada.call("GET", path).json()["state"]
    ada.call("DELETE", path)
    assert ada.call("DELETE", path + "?purge=1").status_code == 200
    assert check(ada, data) == [("deleted", photo)]
    assert uploaded(ada, data, deleted="skip") == (photo, "skipped")
    assert ada.call("GET", path).status_code == 404
    again, status = uploaded(ada, data)
    assert status == "added" and again != photo and original(ada, again) == data


def test_with_its_creation(ada):
    data = jpeg()
    reply = create(ada, len(data), body=data, filename="b.jpg")
    assert reply.status_code == 201
    assert reply.headers["Photo-Status"] == "added"
    assert reply.headers["Upload-Offset"] == str(len(data))
    assert "GMT" in reply.headers["Upload-Expires"]
    part = create(ada, len(data), body=data[:100])
    assert part.status_code == 201 and part.headers["Upload-Offset"] == "100"
    assert "Photo-Id" not in part.headers
    done = patch(ada, part.headers["Location"], 100, data[100:])
    assert (done.headers["Photo-Id"], done.headers["Photo-Status"]) == (
        reply.headers["Photo-Id"], "known")


def test_an_answer_that_was_lost_is_given_again(ada):
    data = jpeg()
    where = created(ada, len(data), filename="lost.jpg")
    assert patch(ada, where, 0, data[:400]).status_code == 204
    first = patch(ada, where, 400, data[400:])
    again = patch(ada, where, 400, data[400:])
    assert (again.status_code, again.headers["Photo-Id"], again.headers["Photo-Status"]) == (
        204, first.headers["Photo-Id"], "added")
    reply = head(ada, where)
    assert reply.headers["Upload-Offset"] == reply.headers["Upload-Length"] == str(len(data))
    assert reply.headers["Photo-Id"] == first.headers["Photo-Id"]
    assert problem(patch(ada, where, 0, data[:10])) == (409, "wrong_offset")


def test_head_tells_what_was_said(ada):
    where = created(ada, 500, filename="c.jpg", note="häß")
    reply = head(ada, where)
    assert reply.headers["Upload-Metadata"] == metadata(filename="c.jpg", note="häß")
    assert reply.headers["Upload-Length"] == "500" and "Upload-Concat" not in reply.headers


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_checksum_vouches_for_a_request(ada, name):
    def of(text):
        return name + " " + base64.b64encode(hashlib.new(name, text).digest()).decode()

    data = jpeg()
    where = created(ada, len(data))
    assert patch(ada, where, 0, data[:600], Upload_Checksum=of(data[:600])).status_code == 204
    wrong = patch(ada, where, 600, b"x" * 400, Upload_Checksum=of(data[600:]))
    assert problem(wrong) == (460, "checksum_mismatch")
    assert offset(ada, where) == 600
    done = patch(ada, where, 600, data[600:], Upload_Checksum=of(data[600:]))
    assert done.headers["Photo-Status"] == "added"
    assert check(ada, data)[0] == ("known", done.headers["Photo-Id"])


@pytest.mark.parametrize("value", ["md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha1 AAAA", "sha1", "sha1 %%%%"])
def test_a_checksum_that_is_none(ada, value):
    where = created(ada, 500)
    assert problem(patch(ada, where, 0, b"x", Upload_Checksum=value)) == (400, "invalid_field")
    assert offset(ada, where) == 0


def test_termination(ada):
    where = created(ada, 500)
    assert patch(ada, where, 0, b"x" * 100).status_code == 204
    reply = ada.http.delete(ada.server.url + where, headers=TUS, timeout=30)
    assert reply.status_code == 204 and reply.headers["Tus-Resumable"] == "1.0.0"
    assert head(ada, where).status_code == 404
    assert problem(patch(ada, where, 100, b"x")) == (404, "not_found")


def test_parts_become_one_file(ada):
    """What is read back from the store is what came: the whole has the file's hash."""
    data = jpeg(200_000)
    cuts = [0, 65536, 65537, 150_000, len(data)]
    parts = []
    for begin, end in zip(cuts, cuts[1:]):
        where = created(ada, end - begin, {"Upload-Concat": "partial"})
        assert patch(ada, where, 0, data[begin:end]).status_code == 204
        assert head(ada, where).headers["Upload-Concat"] == "partial"
        parts.append(where)
    reply = ada.http.post(ada.server.url + PATH, timeout=60, headers={
        **TUS, "Upload-Concat": "final;" + " ".join(
            [parts[0], ada.server.url + parts[1], *parts[2:]])})
    assert reply.status_code == 201, reply.text
    assert reply.headers["Photo-Status"] == "added"
    assert check(ada, data) == [("known", reply.headers["Photo-Id"])]
    final = head(ada, reply.headers["Location"])
    assert final.headers["Upload-Concat"].startswith("final;")
    assert final.headers["Upload-Length"] == str(len(data))
    assert problem(patch(ada, reply.headers["Location"], len(data), b""))[0] == 403
    assert [head(ada, part).status_code for part in parts] == [404] * len(parts)


def test_parts_that_are_not_whole_or_another_s(ada):
    whole = created(ada, 4, {"Upload-Concat": "partial"})
    assert patch(ada, whole, 0, JPEG[:4]).status_code == 204
    half = created(ada, 4, {"Upload-Concat": "partial"})
    eve = Person(ada.server)
    for person, parts in (ada, [whole, half]), (eve, [whole]), (ada, [PATH + "/x"]), (ada, []):
        reply = person.http.post(ada.server.url + PATH, timeout=60, headers={
            **TUS, "Upload-Concat": "final;" + " ".join(parts)})
        assert problem(reply) == (400, "invalid_field")


def test_the_halves_of_a_pair_know_each_other(ada):
    film = b"\0\0\0\x14ftypqt  " + jpeg(500)
    photo, _ = uploaded(ada, jpeg(), filename="IMG_1.HEIC", pair="one")
    other, status = uploaded(ada, film, filename="IMG_1.MOV", pair="one")
    alone, _ = uploaded(ada, jpeg(), pair="two")

    def state(of):
        return ada.call("GET", f"/v1/photos/{of}").json()["state"]

    assert status == "added" and state(other)["type"] == "video/quicktime"
    assert (state(photo)["pair"], state(other)["pair"]) == (other, photo)
    assert "pair" not in state(alone)


def test_a_half_that_comes_to_one_in_the_trash_stays_alone(ada):
    thrown, _ = uploaded(ada, jpeg(600), filename="IMG_2.HEIC", pair="three")
    assert ada.call("DELETE", f"/v1/photos/{thrown}").status_code == 200
    kept, status = uploaded(ada, b"\0\0\0\x14ftypqt  " + jpeg(700), filename="IMG_2.MOV", pair="three")
    assert status == "added"
    assert ada.call("DELETE", f"/v1/photos/{thrown}?purge=1").status_code == 200
    state = ada.call("GET", f"/v1/photos/{kept}").json()["state"]
    assert "pair" not in state and "trashed" not in state


def test_clients_behind_strict_proxies(ada):
    data = jpeg()
    where = created(ada, len(data))
    reply = ada.http.post(ada.server.url + where, data=data, timeout=30, headers={
        **TUS, "Content-Type": OCTETS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"})
    assert reply.headers["Photo-Status"] == "added"


@pytest.mark.parametrize("kind, data", [
    ("image/jpeg", JPEG), ("image/png", b"\x89PNG\r\n\x1a\n"), ("image/gif", b"GIF89a"),
    ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "), ("image/heic", b"\0\0\0\x18ftypheic"),
    ("image/avif", b"\0\0\0\x18ftypavif"), ("image/tiff", b"II*\0"),
    ("video/mp4", b"\0\0\0\x18ftypisom"), ("video/quicktime", b"\0\0\0\x14ftypqt  ")])
def test_what_a_library_takes(ada, kind, data):
    assert uploaded(ada, data + kind.encode() + jpeg(200), filename="x.txt")[1] == "added"


@pytest.mark.parametrize("data", [
    b"<html><script>", b"%PDF-1.7", b"#!/bin/sh\n", b"MZ\x90\0", b"PK\3\4", b"<svg xmlns=", b"\0" * 64,
    b"x"])
def test_what_it_does_not(ada, data):
    where = created(ada, len(data), filename="photo.jpg", filetype="image/jpeg")
    assert problem(patch(ada, where, 0, data)) == (415, "unsupported_type")
    assert head(ada, where).status_code == 404


@pytest.mark.parametrize("length, status", [
    ("-1", 400), ("+5", 400), ("abc", 400), ("1e3", 400), ("", 400), ("0x10", 400), ("5 5", 400),
    ("0", 400), (str(2**63), 400), (str(2**64), 400), ("9" * 100, 400), (str(2**63 - 1), 413),
    (str((8 << 20) + 1), 413)])
def test_lengths_that_are_none(ada, length, status):
    reply = create(ada, 1, {"Upload-Length": length})
    assert problem(reply)[0] == status


def test_the_length_has_to_be_known(ada):
    reply = ada.http.post(ada.server.url + PATH, timeout=30,
                          headers={**TUS, "Upload-Defer-Length": "1"})
    assert problem(reply) == (400, "invalid_field")
    reply = ada.http.post(ada.server.url + PATH, headers=TUS, timeout=30)
    assert problem(reply) == (400, "invalid_field")


@pytest.mark.parametrize("text", [
    "filename %%%", "filename AAAA,filename AAAA", "filename A", "=,", "deleted " + "bWF5YmU=",
    "pair", ",".join(f"k{i} AAAA" for i in range(21)), "k " + "A" * 4096])
def test_metadata_that_is_none(ada, text):
    assert problem(create(ada, 5, {"Upload-Metadata": text})) == (400, "invalid_field")


@pytest.mark.parametrize("at", ["-1", "x", "", str(2**64)])
def test_offsets_that_are_none(ada, at):
    where = created(ada, 500)
    assert problem(patch(ada, where, at, b"x")) == (400, "invalid_field")


def test_bytes_that_do_not_fit(ada):
    where = created(ada, 500)
    assert patch(ada, where, 0, JPEG).status_code == 204
    for at in 0, 1, len(JPEG) + 1, 499, 500, 501, 2**60:
        assert problem(patch(ada, where, at, b"x" * (500 - min(at, 500))))[0] in (409, 413)
    assert problem(patch(ada, where, len(JPEG), b"x" * 500)) == (413, "too_large")
    # Nor when nothing says how many are to come.
    many = (b"x" * 100 for _ in range(10))
    assert problem(patch(ada, where, len(JPEG), many)) == (413, "too_large")
    assert offset(ada, where) <= 500
    assert problem(create(ada, 5, body=b"x" * 6)) == (413, "too_large")


def test_headers_that_are_missing(ada):
    where = created(ada, 500)

    def send(**headers):
        return problem(ada.http.patch(ada.server.url + where, data=b"x", timeout=30, headers={
            name.replace("_", "-"): value for name, value in headers.items()}))

    octets = {"Content_Type": OCTETS}
    assert send(Upload_Offset="0", **octets) == (412, "tus_version")
    assert send(Upload_Offset="0", Tus_Resumable="0.2.2", **octets) == (412, "tus_version")
    assert send(Upload_Offset="0", Tus_Resumable="1.0.0", Content_Type="image/jpeg") == (
        415, "unsupported_media_type")
    assert send(Tus_Resumable="1.0.0", **octets) == (400, "invalid_field")
    assert offset(ada, where) == 0


def test_nobody_else_gets_at_an_upload(ada):
    where = created(ada, 500)
    eve = Person(ada.server)
    assert head(eve, where).status_code == 404
    assert problem(patch(eve, where, 0, b"x")) == (404, "not_found")
    assert eve.http.delete(ada.server.url + where, headers=TUS, timeout=30).status_code == 404
    assert requests.head(ada.server.url + where, headers=TUS, timeout=30).status_code == 401
    assert problem(requests.post(ada.server.url + PATH, timeout=30, headers={
        **TUS, "Upload-Length": "5"})) == (401, "signed_out")
    assert offset(ada, where) == 0
    for path in PATH + "/x", PATH + "/" + "0" * 36, PATH + "/..%2f..%2fetc":
        assert head(ada, path).status_code == 404


@pytest.mark.parametrize("files", [
    None, {}, "x", [1], [{"sha256": "x"}], [{"sha256": "a" * 63}], [{"sha256": "g" * 64}],
    [{"sha256": "a" * 64, "size": -1}], [{"sha256": "a" * 64, "other": 1}],
    [{"sha256": "a" * 64}] * 501])
def test_checks_that_are_none(ada, files):
    assert problem(ada.call("POST", PATH + "/check", {"files": files})) == (400, "invalid_field")


def test_a_check_of_many(ada):
    reply = ada.call("POST", PATH + "/check", {"files": [{"sha256": "a" * 64, "size": 1}] * 500})
    assert reply.status_code == 200 and len(reply.json()["files"]) == 500
