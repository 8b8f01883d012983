# SPDX-License-Identifier: Apache-2.0
"""imagesync sync against the real server: two folders of one person, and both sides killed."""

import hashlib
import os
import random
import resource
import signal
import struct
import subprocess
import zlib

import pytest
import requests

from backends import running
from harness import BINARY, eventually
from people import Person
from test_accounts import CHEAP
from test_login import sign_in, terminal  # noqa: F401 (a fixture)

BACKENDS = ["embedded", "servers"]


def picture(seed, width=24):
    """A PNG that no other seed gives."""
    rng = random.Random(seed)
    rows = b"".join(b"\0" + rng.randbytes(3 * width) for _ in range(width))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Device:
    """A folder on a machine of somebody's."""

    def __init__(self, person, home):
        self.person, self.folder = person, home / "photos"
        self.folder.mkdir(parents=True)
        key = person.call("POST", "/v1/api-keys", {"name": home.name, "scope": "library"}).json()
        self.token = key["key"]
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("IMAGESYNC_", "XDG_"))}
        self.env.update(HOME=str(home), IMAGESYNC_TOKEN=self.token)
        self.url = person.server.url

    def start(self, *options, **how):
        return subprocess.Popen([BINARY, "sync", self.folder, "--server", self.url, "--settle-s",
                                 "0", *options], env=self.env, stderr=subprocess.PIPE, **how)

    def sync(self, *options, status=0):
        process = self.start("--once", *options)
        try:
            err = process.communicate(timeout=120)[1].decode()
        finally:
            process.kill()
        assert process.returncode == status, err
        return err

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def files(self):
        return {str(path.relative_to(self.folder)): path.read_bytes()
                for path in self.folder.rglob("*")
                if path.is_file() and ".imagesync" not in path.parts}

    def call(self, method, path, **kwargs):
        return requests.request(method, self.url + path, timeout=60,
                                headers={"Authorization": f"Bearer {self.token}",
                                         **kwargs.pop("headers", {})}, **kwargs)

    def library(self):
        """{id: state} of all photos that live and are in no trash."""
        found, after = {}, ""
        while after is not None:
            page = self.call("GET", f"/v1/objects?limit=1000{after and '&after=' + after}").json()
            found.update({made["id"]: made["state"] for made in page["objects"]
                          if made["kind"] == "photo" and "trashed" not in made["state"]})
            after = page.get("next") or None
        return found

    def contents(self):
        return sorted(hashlib.sha256(self.call("GET", f"/v1/photos/{photo}/original").content)
                      .hexdigest() for photo in self.library())


def digests(contents):
    return sorted(hashlib.sha256(content).hexdigest() for content in contents)


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("sync"), device_poll_s=1, **CHEAP) as server:
        yield server


@pytest.fixture
def devices(server, tmp_path):
    ada = Person(server)
    return Device(ada, tmp_path / "one"), Device(ada, tmp_path / "two")


def test_two_folders_come_to_be_alike_and_stay_so(devices):
    one, two = devices
    for i in range(40):
        one.put(f"day {i % 3}/IMG_{i}.png", picture(i))
    two.put("mine.png", picture("two"))
    one.sync()
    two.sync()
    one.sync()
    wanted = digests([picture(i) for i in range(40)] + [picture("two")])
    assert digests(one.files().values()) == digests(two.files().values()) == wanted
    assert one.contents() == wanted
    assert "0 sent, 0 received" in one.sync() and "0 sent, 0 received" in two.sync()


def test_a_folder_is_still_known_after_one_that_ended_at_its_first_write(devices):
    one, _ = devices

    def writes_nothing():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    for name in ("before", "after"):
        with one.start("--once", preexec_fn=writes_nothing) as process:
            process.communicate(timeout=60)
        assert process.returncode != 0
        one.put(f"{name}.png", picture(name))
        one.sync()
    assert one.contents() == digests([picture("before"), picture("after")])


def test_folders_are_albums_on_all_devices(devices):
    one, two = devices
    one.put("Trips/2026 Rome/a.png", picture("rome a"))
    one.put("Trips/2026 Rome/b.png", picture("rome b"))
    one.put("c.png", picture("rome c"))
    one.sync()
    two.sync()
    assert set(two.files()) == {"Trips/2026 Rome/a.png", "Trips/2026 Rome/b.png", "c.png"}
    (two.folder / "Trips" / "2026 Rome" / "a.png").rename(two.folder / "a.png")
    two.sync()
    (two.folder / "Trips" / "2026 Rome").rename(two.folder / "Roma")
    assert "0 sent, 0 received" in two.sync()
    assert "0 sent, 0 received" in one.sync()
    assert set(one.files()) == {"Roma/b.png", "a.png", "c.png"}
    albums = [album["state"]["name"] for album in one.call("GET", "/v1/albums").json()["albums"]]
    assert albums == ["Roma"] and len(one.library()) == 3


def test_a_name_given_here_is_the_name_there(devices):
    one, two = devices
    one.put("a.png", picture("name"))
    one.sync()
    two.sync()
    (one.folder / "a.png").rename(one.folder / "Rome.png")
    one.sync()
    assert [state["name"] for state in one.library().values()] == ["Rome.png"]
    two.sync()
    assert list(two.files()) == ["Rome.png"]


def test_deletions_follow_the_library_alone(devices):
    one, two = devices
    one.put("a.png", picture("a"))
    one.put("b.png", picture("b"))
    one.sync()
    two.sync()
    (one.folder / "a.png").unlink()
    one.sync()
    two.sync()
    assert len(two.files()) == 2 and len(two.library()) == 2 and list(one.files()) == ["b.png"]
    (two.folder / "b.png").unlink()
    two.sync("--delete-to-trash")
    assert [state["name"] for state in two.library().values()] == ["a.png"]
    one.sync()
    assert one.files() == {}
    assert (one.folder / ".imagesync" / "trash" / "b.png").read_bytes() == picture("b")
    one.sync()
    two.sync()
    assert list(two.files()) == ["a.png"] and len(one.library()) == 1


def test_what_is_no_picture_is_refused_once(devices):
    one, _ = devices
    one.put("notes.jpg", b"just text, whatever its name says")
    one.put("a.png", picture("beside"))
    assert "notes.jpg" in one.sync(status=1)
    assert "0 failed" in one.sync()
    assert len(one.library()) == 1


def test_what_is_put_into_one_folder_comes_into_the_other(devices):
    one, two = devices
    watching = [one.start(), two.start()]
    try:
        one.put("first.png", picture("first"))
        first = eventually(lambda: "first.png" in two.files())
        two.put("in/second.png", picture("second"))
        second = eventually(lambda: "in/second.png" in one.files())
    finally:
        for process in watching:
            process.send_signal(signal.SIGINT)
        errs = [process.communicate(timeout=60)[1].decode() for process in watching]
    assert first and second, errs
    assert [process.returncode for process in watching] == [0, 0], errs


def test_another_account_gets_nothing(devices, server):
    one, _ = devices
    one.put("a.png", picture("account"))
    one.sync()
    eve = Person(server)
    key = eve.call("POST", "/v1/api-keys", {"name": "eve", "scope": "library"}).json()["key"]
    one.env["IMAGESYNC_TOKEN"] = key
    assert "another account" in one.sync(status=3)
    one.env["IMAGESYNC_TOKEN"] = eve.call(
        "POST", "/v1/api-keys", {"name": "eve", "scope": "images"}).json()["key"]
    assert "does not let us in" in one.sync(status=1)


def test_with_what_login_keeps(devices, server, terminal):
    one, _ = devices
    one.put("a.png", picture("login"))
    assert sign_in(terminal, server, one.person)[0] == 0
    one.env = {**terminal.environment}
    words = ["sync", str(one.folder), "--once", "--settle-s", "0"]
    status, _, err = terminal.run(*words)
    assert status == 0 and "1 sent" in err and len(one.library()) == 1
    terminal.change(server, expires=1)  # so it is renewed
    before = terminal.kept()["servers"][server.url]["refresh_token"]
    one.put("b.png", picture("login again"))
    assert terminal.run(*words)[0] == 0 and len(one.library()) == 2
    assert terminal.kept()["servers"][server.url]["refresh_token"] != before
    terminal.run("logout")
    one.put("c.png", picture("signed out"))
    status, _, err = terminal.run(*words)
    assert status == 1 and "run 'imagesync login'" in err and len(one.library()) == 2


@pytest.mark.parametrize("seed", range(2))
def test_both_sides_killed_and_every_photo_is_there_once(backend, tmp_path, seed):
    rng = random.Random(seed)
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server)
        devices = [Device(ada, tmp_path / "one"), Device(ada, tmp_path / "two")]
        server.listen = f"127.0.0.1:{server.port}"  # where the folders know it
        pictures = [picture(f"{seed} {i}", rng.randint(8, 300)) for i in range(40)]
        for i, content in enumerate(pictures):
            devices[i % 2].put(f"{i}.png", content)
        for _ in range(6):
            processes = [device.start("--once") for device in devices]
            victim = rng.choice([*processes, server])
            for process in processes:
                try:
                    process.wait(rng.uniform(0.02, 0.6))
                except subprocess.TimeoutExpired:
                    pass
            victim.kill()
            for process in processes:
                process.kill()
                process.communicate()
            if victim is server:
                server.start()
        for _ in range(2):
            for device in devices:
                device.sync()
        wanted = digests(pictures)
        assert devices[0].contents() == wanted
        for device in devices:
            assert digests(device.files().values()) == wanted
