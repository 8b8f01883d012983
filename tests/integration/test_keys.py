# SPDX-License-Identifier: Apache-2.0
"""`imagesync keys`: the master key is rotated while people sign in."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from backends import BINARIES, psql, running
from harness import BINARY, eventually
from people import Person

BACKENDS = ["embedded", "servers"]
CHEAP = {"password_ops": 1, "password_memory_mib": 8, "attempts_per_address": 100000}
ENV = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESYNC_")}


def keys(data, *words, env=None):
    done = subprocess.run([BINARY, "keys", *words, "--data", data], env=env or ENV,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def wraps(data, env=None):
    """{id: (users, of the service)}, the newest last."""
    status, said = keys(data, "list", env=env)
    assert status == 0, said
    return {id: (int(users), int(service)) for id, users, service in
            re.findall(r"^(\S+) +(\d+) users +(\d+) of the service", said, re.M)}


def copy_of(data, folder):
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(data / "imagesync.db")) as live, \
            contextlib.closing(sqlite3.connect(folder / "imagesync.db")) as backup:
        live.backup(backup)
    shutil.copy(data / "master.key", folder / "master.key")
    return folder


class Copy:
    """Database and master key as they are now, apart from the server that goes on."""

    def __init__(self, server, folder):
        self.data, self.env = folder, ENV
        url = server.environment.get("IMAGESYNC_DATABASE")
        if not url:
            copy_of(server.data, folder)
            return
        folder.mkdir()
        shutil.copy(server.data / "master.key", folder / "master.key")
        psql(url, f"CREATE DATABASE {folder.name}")
        own = url.rsplit("/", 1)[0] + "/" + folder.name
        dump = subprocess.run([BINARIES / "pg_dump", "-d", url], capture_output=True, check=True)
        subprocess.run([BINARIES / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", own],
                       input=dump.stdout, capture_output=True, check=True)
        self.env = {**ENV, "IMAGESYNC_DATABASE": own}

    def with_key(self, text):
        """What `keys list` says of it with another master key."""
        (self.data / "master.key").write_text(text)
        return keys(self.data, "list", env=self.env)[0]


@pytest.fixture
def server(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        yield server


def test_rotation_while_people_sign_in(server, tmp_path):
    people = [Person(server) for _ in range(3)]
    env = server.environment
    (old,) = wraps(server.data, env)
    before = Copy(server, tmp_path / "before")
    old_text = (server.data / "master.key").read_text()
    assert keys(server.data, "retire", old, env=env)[0] == 1, "in use"
    seen, stop = [], threading.Event()

    def sign_in():
        while not stop.is_set():
            seen.append(people[0].sign_in().status_code)

    thread = threading.Thread(target=sign_in)
    thread.start()
    try:
        for _ in range(3):
            status, said = keys(server.data, "rotate", env=env)
            assert status == 0 and "Wrapped 6 keys" in said, said
            assert people[1].sign_in().status_code == 201
    finally:
        stop.set()
        thread.join()
    assert seen and set(seen) == {201}
    late = Person(server)
    table = wraps(server.data, env)
    assert list(table.values()) == [(0, 0)] * 3 + [(4, 3)], "new accounts have the new key"
    *olds, new = table
    assert keys(server.data, "retire", new, env=env)[0] == 1, "the newest"
    assert keys(server.data, "retire", "none", env=env)[0] == 1
    for id in olds:
        assert keys(server.data, "retire", id, env=env)[0] == 0
    assert list(wraps(server.data, env)) == [new]
    assert not any(line in (server.data / "master.key").read_text()
                   for line in old_text.splitlines() if line)
    server.stop()
    server.start()
    for person in [*people, late]:
        assert person.sign_in().status_code == 201
    # The copy from before opens with the old key only, the one from after with the new only.
    after = Copy(server, tmp_path / "after")
    new_text = (after.data / "master.key").read_text()
    assert list(wraps(before.data, before.env).values()) == [(3, 3)]
    assert before.with_key(new_text) == 3 and after.with_key(old_text) == 3


def test_a_rotation_that_is_killed_goes_on(server, tmp_path):
    if not server.embedded:
        pytest.skip("copies SQLite's file")
    person = Person(server)
    server.stop()
    seen = set()
    for attempt in range(12):
        data = copy_of(server.data, tmp_path / f"copy-{attempt}")
        with contextlib.closing(sqlite3.connect(data / "imagesync.db")) as db:
            db.execute("PRAGMA journal_mode = WAL")
        with subprocess.Popen([BINARY, "keys", "rotate", "--data", data], env=ENV,
                              stdout=subprocess.DEVNULL) as process:
            # Ends at another place each time: this is no wait for something to have happened.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.004 * attempt)
            process.send_signal(signal.SIGKILL)
        (data / "master.key.new").write_text("half a li")
        seen.add(tuple(wraps(data).values()))
        status, said = keys(data, "rotate")
        assert status == 0, said
        *olds, new = wraps(data)
        assert wraps(data)[new] == (1, 3), said
        for id in olds:
            assert keys(data, "retire", id)[0] == 0
        assert not (data / "master.key.new").exists()
    assert len(seen) > 1, "always ended at the same place"
    assert person.id


def test_the_server_reads_keys_on_sighup(server):
    person = Person(server)
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: any(line.get("event") == "master keys read" for line in server.log()))
    assert server.alive() and person.sign_in().status_code == 201
