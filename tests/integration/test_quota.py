# SPDX-License-Identifier: Apache-2.0
"""What a library may take: exact, however many ask at once, and whatever becomes of what they send."""

import concurrent.futures
import contextlib
import http.client
import json
import select
import threading

import pytest

from backends import rows, running
from harness import eventually
from library import picture, send, settled
from people import Person, problem
from test_accounts import CHEAP
from uploading import PATH, TUS, create, created, jpeg, patch, uploaded

BACKENDS = ["embedded", "servers"]
MIB = 1 << 20
BOUNDARY = "0f1e2d"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("quota"), library_quota_mib=20,
                 **CHEAP) as server:
        yield server


def usage(server, person):
    """(files, bytes, reserved): what the row says, and what there is."""
    id = person.id.replace("-", "")
    mine = f"user_id = x'{id}'" if server.embedded else f"user_id = '\\x{id}'"
    said = rows(server, f"SELECT files, bytes, reserved FROM sync_usage WHERE {mine}") or [(0, 0, 0)]
    stored = rows(server, f"SELECT count(*), coalesce(sum(size), 0) FROM sync_blob WHERE {mine}")
    reserved = rows(server, f"SELECT coalesce(sum(reserved), 0) FROM sync_upload WHERE {mine}")
    return said[0], (*stored[0], *reserved[0])


def chunked(person, size, name="a.jpg"):
    """(status, code or body, bytes sent) of a form whose length nobody knows beforehand, by a
    client that looks for an answer while it sends."""
    form = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
            "\r\n\r\n").encode()
    connection = http.client.HTTPConnection("127.0.0.1", person.server.port, timeout=120)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/v1/photos")
        connection.putheader("Authorization", person.http.headers["Authorization"])
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.endheaders()
        left, piece = size, jpeg(1000)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(b"%x\r\n%s\r\n" % (len(form), form))
            while left > 0 and not select.select([connection.sock], [], [], 0)[0]:
                piece = piece[:left]
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                left -= len(piece)
                piece = bytes(64 << 10)
            if left == 0:
                form = f"\r\n--{BOUNDARY}--\r\n".encode()
                connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(form), form))
        reply = connection.getresponse()
        body = json.loads(reply.read())
        return reply.status, body.get("code"), size - left


def test_the_row_follows_whatever_is_done(server):
    ada = Person(server)
    same = lambda: len(set(usage(server, ada))) == 1
    content = picture(4711)
    photo_id, _ = send(ada, content)
    settled(ada, photo_id)
    said, there = usage(server, ada)
    assert said == there and said[0] == 3 and said[1] > len(content) and said[2] == 0

    where = created(ada, 5000)
    assert usage(server, ada)[0][2] == 5000 and same()
    assert patch(ada, where, 0, jpeg(5000)[:100]).status_code == 204
    assert usage(server, ada)[0][2] == 5000 and same()
    ada.http.delete(server.url + where, headers=TUS, timeout=30)
    assert usage(server, ada)[0] == said and same()

    assert uploaded(ada, content)[1] == "known"
    assert send(ada, content)[1] == "known"
    assert ada.http.post(server.url + "/v1/photos", timeout=60, files={
        "file": ("a.pdf", b"%PDF-1.7 none", "application/pdf")}).status_code == 415
    assert usage(server, ada)[0] == said and same()

    data = jpeg(3000)
    parts = [created(ada, 1500, {"Upload-Concat": "partial"}) for _ in range(2)]
    for part, half in zip(parts, (data[:1500], data[1500:])):
        assert patch(ada, part, 0, half).status_code == 204
    assert usage(server, ada)[0][2] == 3000 and same()
    whole = ada.http.post(server.url + PATH, timeout=60, headers={
        **TUS, "Upload-Concat": "final;" + " ".join(parts)})
    assert whole.headers["Photo-Status"] == "added"
    assert usage(server, ada)[0] == (said[0] + 1, said[1] + 3000, 0) and same()

    for each in (photo_id, whole.headers["Photo-Id"]):
        settled(ada, each)
        assert ada.call("DELETE", f"/v1/photos/{each}").ok
        assert ada.call("DELETE", f"/v1/photos/{each}?purge=1").ok
    assert usage(server, ada) == ((0, 0, 0), (0, 0, 0))


def test_what_expires_gives_its_room_back(backend, tmp_path):
    with running(backend, tmp_path, library_quota_mib=1, blob_grace_s=1, services="user,sync",
                 **CHEAP) as server:
        ada, bob = Person(server), Person(server)
        for person in (ada, bob, ada):
            created(person, MIB // 2)
        assert problem(create(ada, 1)) == (413, "quota_exceeded")
        rows(server, "UPDATE sync_upload SET expires_us = 1")
        assert eventually(lambda: create(ada, MIB).status_code == 201)
        assert usage(server, ada)[0] == (0, 0, MIB) and usage(server, bob)[0] == (0, 0, 0)


def test_a_form_without_a_length_does_not_overshoot(server):
    ada = Person(server)
    status, code, sent = chunked(ada, 2000 * MIB)
    assert (status, code) == (413, "quota_exceeded")
    assert sent < 50 * MIB, "it is told while it sends"
    assert eventually(lambda: usage(server, ada) == ((0, 0, 0), (0, 0, 0)))
    assert chunked(ada, 20 * MIB + 1)[:2] == (413, "quota_exceeded")
    assert chunked(ada, 20 * MIB)[0] == 201
    assert usage(server, ada)[0][1:] == (20 * MIB, 0)
    assert problem(create(ada, 1)) == (413, "quota_exceeded")
    assert chunked(ada, 2000)[:2] == (413, "quota_exceeded")


def at_once(n, work):
    barrier = threading.Barrier(n)

    def one(i):
        barrier.wait()
        return work(i)
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


def test_many_at_once_get_what_there_is_and_no_more(server):
    ada = Person(server)
    statuses = at_once(12, lambda i: create(ada, 4 * MIB).status_code)
    assert sorted(statuses) == [201] * 5 + [413] * 7
    said, there = usage(server, ada)
    assert said == there == (0, 0, 20 * MIB)


def test_forms_at_once_get_what_there_is_and_no_more(server):
    """None knows beforehand how long it is: together they are never more than there is room for."""
    ada = Person(server)
    replies = at_once(4, lambda i: chunked(ada, 12 * MIB + i, f"{i}.jpg"))
    statuses = [status for status, _, _ in replies]
    assert set(statuses) <= {201, 413} and statuses.count(201) <= 1
    assert eventually(lambda: usage(server, ada)[0][2] == 0)
    said, there = usage(server, ada)
    assert said == there and said[1] <= 20 * MIB
    assert chunked(ada, 20 * MIB - said[1])[0] == 201


def test_uploads_side_by_side_all_arrive(server):
    """All of one person: they meet in one row, and none is told to try again."""
    ada = Person(server)

    def one(i):
        return [uploaded(ada, jpeg(1000 + i))[1] for _ in range(5)]
    assert at_once(8, one) == [["added"] * 5] * 8
    said, there = usage(server, ada)
    assert said == there and said[2] == 0
