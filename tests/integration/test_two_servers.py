# SPDX-License-Identifier: Apache-2.0
"""Two servers on one database and one store of files, in one upload: as behind a balancer that knows
no sessions, one of which dies."""

import copy
import os
import signal
import threading

import pytest

from backends import rows, running
from harness import Server, descendants, eventually
from people import Person, problem
from test_accounts import CHEAP
from uploading import (
    TUS, begin_patch, check, created, head, is_read, jpeg, offset, original, patch)

BACKENDS = ["servers", "stores"]
MIB = 1 << 20
NOTED_EVERY = 64 * MIB


@pytest.fixture(scope="module")
def servers(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with running(backend, folder, services="user,sync", **CHEAP) as first:
        shared = {name.removeprefix("IMAGESYNC_").lower(): value
                  for name, value in first.environment.items() if name.startswith("IMAGESYNC_")}
        shared.pop("api_keys")
        second = Server(folder / "second", master_key=first.data / "master.key", **shared)
        yield first, second
        second.stop()


def at(person, server):
    """The same device, on its way to that server."""
    other = copy.copy(person)
    other.server = server
    return other


@pytest.fixture
def pair(servers):
    first, second = servers
    ada = Person(first)
    return ada, at(ada, second)


def is_there(pair, data, photo):
    """One photo with that content, whoever is asked."""
    for device in pair:
        assert check(device, data) == [("known", photo)]
        assert original(device, photo) == data


def test_requests_alternate(pair):
    data = jpeg(700_000)
    cuts = [0, 1, 65535, 65536, 65537, 200_000, 400_000, len(data)]
    where = created(pair[0], len(data))
    for number, (begin, end) in enumerate(zip(cuts, cuts[1:])):
        reply = patch(pair[number % 2], where, begin, data[begin:end])
        assert reply.status_code == 204, reply.text
        assert [offset(device, where) for device in pair] == [end] * 2
    photo = reply.headers["Photo-Id"]
    assert [head(device, where).headers["Photo-Id"] for device in pair] == [photo] * 2
    is_there(pair, data, photo)


def test_both_at_once_at_the_same_offset(pair):
    piece, pieces = 50_000, 12
    data = jpeg(piece * (pieces + 1))
    where = created(pair[0], len(data))

    def send(device, begin, start, replies):
        start.wait()
        replies.append(patch(device, where, begin, data[begin:begin + piece]))

    for number in range(pieces):
        start, replies = threading.Barrier(2), []
        threads = [threading.Thread(target=send, args=(device, number * piece, start, replies))
                   for device in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won, lost = sorted(replies, key=lambda reply: reply.status_code)
        assert won.status_code == 204, (won.text, lost.text)
        assert problem(lost) in ((409, "wrong_offset"), (423, "upload_busy"))
        assert [offset(device, where) for device in pair] == [(number + 1) * piece] * 2
    reply = patch(pair[1], where, pieces * piece, data[pieces * piece:])
    is_there(pair, data, reply.headers["Photo-Id"])


def test_while_one_writes_the_other_waits(pair):
    """And tells what is durable, not what is on its way."""
    data = jpeg(3 * MIB)
    where = created(pair[0], len(data))
    assert patch(pair[0], where, 0, data[:MIB]).status_code == 204
    writing = begin_patch(pair[0], where, MIB, len(data) - MIB, data[MIB:2 * MIB])
    assert eventually(lambda: is_read(writing))
    reply = patch(pair[1], where, MIB, data[MIB:])
    assert problem(reply) == (423, "upload_busy") and int(reply.headers["Retry-After"]) > 0
    assert offset(pair[1], where) == MIB
    writing.sendall(data[2 * MIB:])
    assert writing.recv(1000).startswith(b"HTTP/1.1 204 ")
    writing.close()
    is_there(pair, data, head(pair[1], where).headers["Photo-Id"])


def test_what_one_writes_the_other_throws_away(pair):
    data = jpeg(2 * MIB)
    where = created(pair[0], len(data))
    writing = begin_patch(pair[0], where, 0, len(data), data[:MIB])
    assert eventually(lambda: is_read(writing))
    reply = pair[1].http.delete(pair[1].server.url + where, headers=TUS, timeout=30)
    assert reply.status_code == 204
    writing.sendall(data[MIB:])
    assert not writing.recv(1000).startswith(b"HTTP/1.1 204 ")
    writing.close()
    assert [head(device, where).status_code for device in pair] == [404] * 2
    assert check(pair[0], data) == [("unknown", None)]


def test_one_is_killed_and_the_other_goes_on(pair):
    data = jpeg(NOTED_EVERY + 8 * MIB)
    where = created(pair[1], len(data))
    cut = NOTED_EVERY + 4 * MIB
    writing = begin_patch(pair[1], where, 0, len(data), data[:cut])
    noted = f"SELECT received FROM sync_upload WHERE received >= {NOTED_EVERY} AND outcome = 0"
    assert eventually(lambda: rows(pair[0].server, noted), 60)
    pair[1].server.kill()
    writing.close()
    durable = offset(pair[0], where)
    assert [(durable,)] == rows(pair[0].server, noted)
    assert eventually(lambda: patch(pair[0], where, durable, data[durable:]).ok, 30), (
        "the lease of the dead lapses")
    photo = head(pair[0], where).headers["Photo-Id"]
    pair[1].server.start()
    is_there(pair, data, photo)


def test_one_that_stood_still_does_not_write_into_what_the_other_wrote(pair):
    data = jpeg(6 * MIB)
    where = created(pair[1], len(data))
    writing = begin_patch(pair[1], where, 0, len(data), data[:MIB])
    assert eventually(lambda: is_read(writing))
    processes = descendants(pair[1].server.process.pid)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert eventually(
            lambda: patch(pair[0], where, 0, data).headers.get("Photo-Id"), 30)
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    writing.sendall(b"x" * (len(data) - MIB))
    assert not writing.recv(1000).startswith(b"HTTP/1.1 204 ")
    writing.close()
    is_there(pair, data, head(pair[1], where).headers["Photo-Id"])
