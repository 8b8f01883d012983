# SPDX-License-Identifier: Apache-2.0
"""Uploads that are cut off, killed, sent twice at once, or large: nothing is lost, nothing doubled."""

import contextlib
import os
import threading

import pytest

from backends import SplitServer, rows, running
from harness import descendants, eventually
from people import Person, problem
from stores import store_of
from test_accounts import CHEAP
from uploading import (
    JPEG, OCTETS, PATH, TUS, begin_patch, check, create, created, head, is_read, jpeg, offset,
    original, patch)

BACKENDS = ["embedded", "servers"]
SETTINGS = {"services": "user,sync", **CHEAP}
MIB = 1 << 20


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("cuts"), **SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def ada(server):
    return Person(server)


def cut_after(person, where, at, length, data):
    """A PATCH of `length` bytes whose client is gone after `data`: where the upload is then."""
    begin_patch(person, where, at, length, data).close()
    if isinstance(person.server, SplitServer):
        return  # the proxy hears of the end, perhaps before it has passed the last bytes on
    newest = "SELECT received FROM sync_upload WHERE kind < 2 AND lease_us = 0 ORDER BY created_us DESC LIMIT 1"
    assert eventually(lambda: rows(person.server, newest) == [(at + len(data),)])
    assert offset(person, where) == at + len(data)


def send_rest(person, where, data):
    """From where the server says that it is."""
    def sent():
        at = offset(person, where)
        return patch(person, where, at, data[at:]).status_code == 204
    assert eventually(sent)


def test_a_cut_at_every_byte(ada):
    """As parts, so that the hash of the whole tells what the store gives back of each."""
    data = jpeg(40)
    for cut in range(1, len(data)):
        where = created(ada, len(data), {"Upload-Concat": "partial"})
        cut_after(ada, where, 0, len(data), data[:cut])
        send_rest(ada, where, data)
        whole = ada.http.post(ada.server.url + PATH, timeout=60, headers={
            **TUS, "Upload-Concat": "final;" + where})
        assert whole.headers["Photo-Status"] == ("added" if cut == 1 else "known"), cut
        assert check(ada, data) == [("known", whole.headers["Photo-Id"])]


@pytest.mark.parametrize("cut", [65535, 65536, 65537, 131072, 1048576, 1048577])
def test_a_cut_where_the_store_has_edges(ada, cut):
    data = jpeg(cut + 70_000)
    where = created(ada, len(data), {"Upload-Concat": "partial"})
    # Of more than a few bytes some may not have been read yet when their sender is found to be gone.
    assert patch(ada, where, 0, data[:cut]).status_code == 204
    cut_after(ada, where, cut, len(data) - cut, data[cut:cut + 5])
    send_rest(ada, where, data)
    whole = ada.http.post(ada.server.url + PATH, timeout=60, headers={
        **TUS, "Upload-Concat": "final;" + where})
    assert whole.headers["Photo-Status"] == "added"
    assert check(ada, data) == [("known", whole.headers["Photo-Id"])]


def test_a_creation_that_is_cut_leaves_nothing_behind(ada):
    data = jpeg(500)
    before = ada.call("GET", "/v1/library").json()
    assert create(ada, 500, body=data[:200]).headers["Upload-Offset"] == "200"
    assert ada.call("GET", "/v1/library").json() == before


def test_who_comes_later_takes_over(ada):
    """The first client's line is dead, and nobody told the server."""
    data = jpeg(3 * MIB)
    where = created(ada, len(data))
    first = begin_patch(ada, where, 0, len(data), data[:2 * MIB])
    assert eventually(lambda: is_read(first))
    at = offset(ada, where)
    assert at >= MIB
    reply = patch(ada, where, at, data[at:])
    assert reply.headers["Photo-Status"] == "added"
    # What the first still sends goes nowhere.
    with contextlib.suppress(OSError):
        first.sendall(b"x" * MIB)
        assert b" 204 " not in first.recv(200)
    first.close()
    assert check(ada, data) == [("known", reply.headers["Photo-Id"])]


def test_many_send_the_same_upload_at_once(ada):
    data = jpeg(300_000)
    where = created(ada, len(data))
    start = threading.Barrier(8)

    def send(device):
        start.wait()
        for _ in range(60):
            reply = head(device, where)
            if reply.headers.get("Photo-Id"):
                return reply.headers["Photo-Id"]
            if reply.status_code != 200:
                continue
            at = int(reply.headers["Upload-Offset"])
            with contextlib.suppress(OSError):
                patch(device, where, at, data[at:at + 50_000])
        return None

    found = []
    devices = [Person.__new__(Person) for _ in range(8)]
    for device in devices:
        device.server, device.http = ada.server, __import__("requests").Session()
        device.http.headers.update(ada.http.headers)
    threads = [threading.Thread(target=lambda one=one: found.append(send(one))) for one in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(found)) == 1 and found[0], found
    assert original(ada, found[0]) == data


def test_the_same_file_from_many_devices_is_one_photo(ada):
    data = jpeg(100_000)
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(create(ada, len(data), body=data)))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [reply.status_code for reply in replies] == [201] * 6
    assert len({reply.headers["Photo-Id"] for reply in replies}) == 1
    assert sorted(reply.headers["Photo-Status"] for reply in replies) == ["added"] + ["known"] * 5


def test_a_server_that_is_killed(backend, tmp_path):
    with running(backend, tmp_path, **SETTINGS) as server:
        ada = Person(server)
        data = jpeg(200 * MIB)
        where = created(ada, len(data), {"Upload-Concat": "partial"})
        at = 0
        for _ in range(2):
            to = begin_patch(ada, where, at, len(data) - at, data[at:at + 70 * MIB])
            noted = f"SELECT received FROM sync_upload WHERE received > {at}"
            assert eventually(lambda q=noted: rows(server, q)), server.log_tail()
            server.kill()
            to.close()
            server.start()
            at, before = offset(ada, where), at
            assert at >= before + 64 * MIB
            # Where other processes might be, a lease has to lapse first.
            assert eventually(lambda a=at: patch(ada, where, a, b"").status_code == 204)
        assert patch(ada, where, at, data[at:]).status_code == 204
        whole = ada.http.post(server.url + PATH, timeout=120, headers={
            **TUS, "Upload-Concat": "final;" + where})
        assert whole.headers["Photo-Status"] == "added", whole.text
        assert check(ada, data) == [("known", whole.headers["Photo-Id"])]
        assert original(ada, whole.headers["Photo-Id"]) == data


def test_a_crash_before_a_file_that_came_at_once_was_settled(ada):
    """Its blob is there and nobody knows of it: the file comes again, in whichever way."""
    data = jpeg(300_000)
    where = created(ada, len(data))
    ((name,),) = rows(ada.server, "SELECT blob_name FROM sync_upload ORDER BY created_us DESC LIMIT 1")
    store_of(ada.server).write(name, b"what came before the crash")
    assert offset(ada, where) == 0
    reply = patch(ada, where, 0, data)
    assert (reply.status_code, reply.headers["Photo-Status"]) == (204, "added")
    assert original(ada, reply.headers["Photo-Id"]) == data
    again = head(ada, where)
    assert (again.headers["Upload-Offset"], again.headers["Photo-Id"]) == (
        str(len(data)), reply.headers["Photo-Id"])


def resident_mib(server):
    server = getattr(server, "sync", server)  # the part that takes the bytes
    total = 0
    for pid in descendants(server.process.pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


@pytest.mark.parametrize("mib", [200] + [2048] * ("IMAGESYNC_LARGE" in os.environ))
def test_a_large_file_needs_no_more_memory(ada, mib):
    piece = os.urandom(MIB)
    size = mib * MIB
    seen = []

    def pieces():
        yield JPEG + piece[len(JPEG):]
        for number in range(mib - 1):
            yield piece
            if number % 32 == 31:
                seen.append(resident_mib(ada.server))

    before = resident_mib(ada.server)
    where = created(ada, size, filename="large.jpg")
    reply = ada.http.patch(ada.server.url + where, data=pieces(), timeout=600, headers={
        **TUS, "Upload-Offset": "0", "Content-Type": OCTETS})
    assert reply.headers["Photo-Status"] == "added", reply.text
    assert max(seen) < before + 24, (before, seen)


def test_uploads_at_once_are_bounded(backend, tmp_path):
    with running(backend, tmp_path, uploads_at_once=2, **SETTINGS) as server:
        ada = Person(server)
        addresses = [created(ada, 1000) for _ in range(3)]
        held = [begin_patch(ada, where, 0, 1000, JPEG) for where in addresses[:2]]
        taken = "SELECT count(*) FROM sync_upload WHERE lease_us > 0"
        assert eventually(lambda: rows(server, taken) == [(2,)])
        refused = patch(ada, addresses[2], 0, JPEG)
        assert problem(refused) == (503, "unavailable") and refused.headers["Retry-After"]
        for connection in held:
            connection.close()
        assert eventually(lambda: patch(ada, addresses[2], 0, JPEG).status_code == 204)


def test_a_quota_is_asked_before_the_body(backend, tmp_path):
    with running(backend, tmp_path, library_quota_mib=2, **SETTINGS) as server:
        ada = Person(server)
        data = jpeg(MIB)
        where = created(ada, MIB)
        assert problem(create(ada, MIB + 1)) == (413, "quota_exceeded")
        assert patch(ada, where, 0, data).headers["Photo-Status"] == "added"
        assert problem(create(ada, MIB + 1)) == (413, "quota_exceeded")
        other = created(ada, MIB)
        assert problem(create(ada, 1)) == (413, "quota_exceeded")
        ada.http.delete(server.url + other, headers=TUS, timeout=30)
        # What is known already takes no room.
        assert create(ada, MIB, body=data).headers["Photo-Status"] == "known"
        assert create(ada, MIB, body=jpeg(MIB)).headers["Photo-Status"] == "added"
        assert problem(create(ada, 1)) == (413, "quota_exceeded")
        assert Person(server).call("GET", "/v1/library").status_code == 200
