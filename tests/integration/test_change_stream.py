# SPDX-License-Identifier: Apache-2.0
"""A device that listens: it is sent what it missed, then what comes, until it may not listen any
more."""

import contextlib
import json
import re
import socket
import threading
import time

import pytest
import requests

from backends import SplitServer, running
from harness import Server, eventually
from library import picture, send, settled
from people import Person, browser, problem
from test_accounts import CHEAP
from test_changes import made, rename

BACKENDS = ["embedded", "servers"]
HEARTBEAT_S = 1


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("stream"), stream_heartbeat_s=HEARTBEAT_S,
                 idle_timeout_s=3, **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


class Listener:
    """Reads server-sent events as HTML, section 9.2.6, has it."""

    def __init__(self, person, query="", server=None, last=None):
        self.server = server or person.server
        self.reply = person.http.get(self.server.url + "/v1/changes/stream" + query, stream=True,
                                     timeout=20, headers={"Last-Event-ID": last} if last else {})
        self.lines = self.reply.iter_lines(chunk_size=1)
        self.beats, self.retry = 0, None

    def __enter__(self):
        assert self.reply.status_code == 200, self.reply.text
        assert self.reply.headers["Content-Type"] == "text/event-stream"
        if not isinstance(self.server, SplitServer):  # nginx takes it for itself
            assert self.reply.headers["X-Accel-Buffering"] == "no"
        return self

    def __exit__(self, *_):
        self.reply.close()

    def event(self):
        """The next (id, object); None at the end."""
        found = {}
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
            for line in self.lines:
                line = line.decode()
                if line.startswith(":"):
                    self.beats += 1
                elif line:
                    name, value = line.split(": ", 1)
                    found[name] = value
                elif found.get("event") == "change":
                    return int(found["id"].split(".")[0]), json.loads(found["data"])
                else:
                    self.retry, found = int(found.get("retry", 0)) or self.retry, {}
        return None


def test_what_was_missed_comes_first_and_then_what_happens(ada):
    albums = [made(ada, f"Album {i}") for i in range(3)]
    with Listener(ada, "?since=1") as listener:
        assert [listener.event() for _ in range(2)] == [(2, albums[1]), (3, albums[2])]
        assert listener.retry == 1000
        late = made(ada, "late")
        assert listener.event() == (4, late)
        ada.call("DELETE", f"/v1/albums/{late['id']}")
        seq, gone = listener.event()
        assert seq == 5 and gone["removed"] is True and gone["id"] == late["id"]
    with Listener(ada, "?since=0", last="4") as listener:  # as EventSource comes back
        assert listener.event() == (5, gone)
    with Listener(ada) as listener:  # from now on
        now = made(ada, "now")
        assert listener.event() == (6, now)


def test_a_cursor_that_the_log_does_not_have(ada):
    made(ada)
    assert problem(ada.call("GET", "/v1/changes/stream?since=2")) == (410, "cursor_too_old")
    assert problem(ada.call("GET", "/v1/changes/stream", headers={"Last-Event-ID": "9"})) == (
        410, "cursor_too_old")
    for query, headers in (("?since=x", {}), ("?since=-1", {}), ("", {"Last-Event-ID": "x"})):
        assert problem(ada.call("GET", "/v1/changes/stream" + query, headers=headers)) == (
            400, "invalid_field")
    assert problem(requests.get(ada.server.url + "/v1/changes/stream", timeout=10)) == (
        401, "signed_out")


def test_only_ones_own(server, ada):
    eve = Person(server)
    with Listener(ada, "?since=0") as listener:
        made(eve, "Eve's")
        album = made(ada, "mine")
        assert listener.event() == (1, album)


def test_it_is_told_that_it_is_still_heard(ada):
    with Listener(ada) as listener:
        start = time.monotonic()
        thread = threading.Timer(3.5 * HEARTBEAT_S, made, (ada, "late"))
        thread.start()
        assert listener.event()[1]["state"]["name"] == "late"
        # Longer than the server's time-out for silent connections.
        assert time.monotonic() - start > 3 and 3 <= listener.beats <= 5
        thread.join()


@pytest.mark.parametrize("how", ["session", "cookie", "key"])
def test_it_ends_when_its_credential_is_taken_back(server, ada, how):
    listening = ada
    if how == "cookie":
        listening = Person.__new__(Person)
        listening.__dict__.update(ada.__dict__)
        listening.http = browser(server)
        assert listening.http.post(server.url + "/v1/sessions", timeout=60, json={
            "email": ada.address, "password": ada.password, "cookie": True}).status_code == 201
    elif how == "key":
        key = ada.call("POST", "/v1/api-keys", {"name": "sync", "scope": "library"}).json()
        listening = Person.__new__(Person)
        listening.__dict__.update(ada.__dict__)
        listening.http = requests.Session()
        listening.http.headers["Authorization"] = "Bearer " + key["key"]
    with Listener(listening, "?since=0") as listener:
        album = made(listening)
        assert listener.event() == (1, album)
        if how == "key":
            assert ada.call("DELETE", f"/v1/api-keys/{key['id']}").status_code == 204
        else:
            assert listening.call("DELETE", "/v1/sessions").status_code == 204
        assert listener.event() is None


@pytest.fixture
def much(ada):
    """Far more than sockets and the server hold for a client: recipes of 60 KB, 7 MB in all."""
    photo_id, _ = send(ada, picture(3, (64, 48)))
    settled(ada, photo_id)
    for i in range(120):
        reply = ada.call("POST", "/v1/edits", {"photo": photo_id, "recipe": {"n": i, "x": "x" * 60000}})
        assert reply.status_code == 201, reply.text
    return ada.call("GET", "/v1/library").json()["seq"]


def asked_for_all(person, room):
    """A connection of which nothing was read yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.connect(("127.0.0.1", person.server.port))
    client.sendall("GET /v1/changes/stream?since=0 HTTP/1.1\r\nHost: x\r\n"
                   f"Authorization: {person.http.headers['Authorization']}\r\n\r\n".encode())
    return client


def test_what_does_not_fit_waits_in_the_log(ada, much):
    with asked_for_all(ada, 256 << 10) as client:
        client.settimeout(20)
        text = bytearray()
        while f"id: {much}.".encode() not in text[-150000:]:
            piece = client.recv(65536)
            assert piece, "it was cut"
            text += piece
        ids = [int(line[4:].split(b".")[0]) for line in text.splitlines()
               if line.startswith(b"id: ")]
        assert ids == sorted(set(ids)) and len(text) > 6_000_000
        numbers = re.findall(rb'"n":(\d+)', text)
        assert [int(number) for number in numbers] == list(range(120))


def test_a_client_that_never_reads_is_cut(server, ada, much):
    del much
    if isinstance(server, SplitServer):
        pytest.skip("so much fits into the sockets on both sides of the proxy")
    with asked_for_all(ada, 8192) as client:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(100)
        assert head.startswith(b"HTTP/1.1 200")
        assert eventually(lambda: any(
            line.get("path") == "/v1/changes/stream" and line["request_id"].encode() in head
            for line in server.log())), "it is still there"
    with Listener(ada, "?since=0", last="100") as listener:  # and comes back
        assert listener.event()[0] == 101


def test_a_client_that_reads_late_misses_nothing(ada):
    name = "x" * 380
    with Listener(ada, "?since=0") as listener:
        album = made(ada, "first")
        listener.event()
        for i in range(60):
            album = rename(ada, album, f"{i} {name}").json()
        seqs, last = [], None
        while not last or last[0] < 61:
            last = listener.event()
            seqs.append(last[0])
        assert last == (61, album) and seqs == sorted(set(seqs))


def test_changes_made_through_another_server(server, ada, tmp_path):
    """Two processes on one database: what one of them commits is heard at the other."""
    database = server.environment.get("IMAGESYNC_DATABASE", f"sqlite:{server.data}/imagesync.db")
    other = Server(tmp_path / "other", database=database, master_key=server.data / "master.key",
                   blobs=server.blobs, services="user,image,sync", **CHEAP)
    try:
        with Listener(ada, "?since=0", other) as listener:
            for i in range(5):
                album = made(ada, f"Album {i}")
                committed = time.monotonic()
                assert listener.event() == (i + 1, album)
                assert time.monotonic() - committed < 5
    finally:
        assert other.stop() == 0


def test_many_listen_to_one_library(ada):
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(Listener(ada, "?since=0")) for _ in range(40)]
        albums = [made(ada, f"Album {i}") for i in range(5)]
        for listener in listeners:
            assert [listener.event()[1] for _ in albums] == albums


def test_they_end_when_the_server_does(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server)
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(Listener(ada, "?since=0")) for _ in range(5)]
            album = made(ada)
            assert all(listener.event() == (1, album) for listener in listeners)
            start = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - start < 10
            assert all(listener.event() is None for listener in listeners)
        server.start()
        with Listener(ada, "?since=0") as listener:
            assert listener.event() == (1, album)
