# SPDX-License-Identifier: Apache-2.0
"""A library that is restored from a backup: what devices have seen since is no part of its log any
more. They are told, and what only they still have comes back."""

import shutil

import pytest

from backends import rows, running
from people import Person, problem
from test_accounts import CHEAP
from test_backup import done, run
from test_changes import changes, made, page_of
from test_sync_dir import Device, picture

BACKENDS = ["embedded"]  # a server of databases has copies of its own: see the last test


@pytest.fixture
def server(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        yield server


class Backup:
    def __init__(self, server, folder):
        self.server, self.folder = server, folder / "backup"
        self.keys = folder / "keys"
        done(run(server, "backup", self.folder, "--keys", self.keys))

    def restore(self, *people):
        """In the place of what is there; at the same address, since folders know theirs."""
        server, lost = self.server, self.folder.parent / "lost"
        assert server.stop() == 0
        server.data.rename(lost)
        server.data.mkdir()
        done(run(server, "restore", self.folder, "--keys", self.keys))
        shutil.copy(lost / "master.key", server.data / "master.key")
        (server.data / "models").symlink_to((lost / "models").resolve())
        server.listen = f"127.0.0.1:{server.port}"
        server.start()
        done(run(server, "check", "--deep"))
        for person in people:
            person.keep(person.sign_in())


def test_a_cursor_of_another_epoch_is_told_so(server, tmp_path):
    ada = Person(server)
    made(ada, "before")
    old = changes(ada).json()["cursor"]
    assert changes(ada, old).status_code == 200
    backup = Backup(server, tmp_path)
    made(ada, "lost")
    ahead = changes(ada).json()
    event = ada.call("GET", "/v1/objects").json()["cursor"]
    assert event == ahead["cursor"]
    backup.restore(ada)

    # While the log is shorter, and also once it has come as far on another way.
    for _ in range(2):
        for cursor in (old, ahead["cursor"]):
            for path in ("/v1/changes", "/v1/changes/stream"):
                reply = ada.call("GET", f"{path}?since={cursor}")
                assert problem(reply) == (410, "cursor_too_old")
                assert reply.json()["restored"] is True and reply.json()["horizon"] == 0
        assert problem(ada.call("GET", "/v1/changes/stream", headers={
            "Last-Event-ID": ahead["cursor"]})) == (410, "cursor_too_old")
        made(ada, "another"), made(ada, "and more")
    # A number alone is what it always was.
    assert [one["state"]["name"] for one in page_of(ada, ahead["next"])["changes"]][-1] == "and more"
    anew = ada.call("GET", "/v1/objects").json()
    assert anew["cursor"] != event and changes(ada, anew["cursor"]).json()["changes"] == []
    # Starting again is no restoring.
    server.stop()
    server.start()
    ada.server = server
    assert changes(ada, anew["cursor"]).status_code == 200


def test_what_is_only_too_old_was_not_restored(server):
    ada = Person(server)
    album = made(ada, "a")
    cursor = changes(ada).json()["cursor"]
    ada.call("DELETE", f"/v1/albums/{album['id']}")
    rows(server, "UPDATE event_head SET horizon = 2")
    reply = changes(ada, cursor)
    assert problem(reply) == (410, "cursor_too_old") and reply.json()["restored"] is False


def test_nothing_is_lost_that_a_device_still_has(server, tmp_path):
    ada = Person(server)
    first, second = (Device(ada, tmp_path / name) for name in ("first", "second"))
    for name, seed in (("kept", 1), ("deleted", 2), ("renamed", 3), ("undeleted", 4)):
        first.put(f"{name}.png", picture(seed))
    first.sync(), second.sync()
    assert first.files() == second.files()
    ids = {state["name"]: photo for photo, state in first.library().items()}
    backup = Backup(server, tmp_path)

    # What the backup does not know of.
    first.put("only first.png", picture(5))
    first.sync(), second.sync()
    second.put("only second.png", picture(6))
    second.sync()
    photo = ids["renamed.png"]
    version = first.call("GET", f"/v1/photos/{photo}").headers["ETag"]
    assert first.call("PATCH", f"/v1/photos/{photo}", json={"name": "other.png"},
                      headers={"If-Match": version}).status_code == 200
    assert first.call("DELETE", f"/v1/photos/{ids['undeleted.png']}").status_code < 300
    first.sync(), second.sync()
    assert "undeleted.png" not in first.files() and "other.png" in second.files()
    backup.restore()

    # A third changes the restored library, so that its log is as long as the lost one.
    third = Device(ada, tmp_path / "third")
    assert third.call("DELETE", f"/v1/photos/{ids['deleted.png']}").status_code < 300
    for seed in range(10, 16):
        third.put(f"third {seed}.png", picture(seed))
    third.sync()
    said = first.sync()
    assert "restored from a backup" in said and "only first.png" in said
    second.sync(), third.sync(), first.sync(), second.sync()

    wanted = {"kept.png", "renamed.png", "undeleted.png", "only first.png", "only second.png",
              *(f"third {seed}.png" for seed in range(10, 16))}
    for device in (first, second, third):
        assert set(device.files()) == wanted
        assert device.files() == first.files()
        assert "restored" not in device.sync()
    assert sorted(state["name"] for state in first.library().values()) == sorted(wanted)
    done(run(server, "check", "--deep"))


def test_a_folder_that_is_only_sent_gives_back_what_was_lost(server, tmp_path):
    ada = Person(server)
    folder, other = (Device(ada, tmp_path / name) for name in ("folder", "other"))
    for name, seed in (("kept", 1), ("deleted", 2)):
        folder.put(f"{name}.png", picture(seed))
    folder.sync("--push-only")
    ids = {state["name"]: photo for photo, state in folder.library().items()}
    backup = Backup(server, tmp_path)
    folder.put("lost.png", picture(3))
    assert "restored" not in folder.sync("--push-only")
    before = folder.files()
    backup.restore()
    # So that its log is as long as the lost one, and has what is not to come here.
    for seed in range(10, 13):
        other.put(f"other {seed}.png", picture(seed))
    other.sync()
    assert other.call("DELETE", f"/v1/photos/{ids['deleted.png']}").status_code < 300

    said = folder.sync("--push-only")
    assert "restored from a backup" in said and "lost.png" in said
    assert "restored" not in folder.sync("--push-only")
    assert folder.files() == before
    assert sorted(state["name"] for state in folder.library().values()) == [
        "kept.png", "lost.png", *(f"other {seed}.png" for seed in range(10, 13))]
    # In both directions it goes on from where it was before, which was nowhere.
    folder.sync()
    assert set(folder.files()) == {"kept.png", "lost.png", *(f"other {n}.png" for n in range(10, 13))}
    done(run(server, "check", "--deep"))


def test_a_database_that_others_restored_is_another_epoch(tmp_path):
    with running("servers", tmp_path, **CHEAP) as server:
        ada = Person(server)
        made(ada)
        cursor = changes(ada).json()["cursor"]
        done(run(server, "backup", tmp_path / "backup"))
        server.stop()
        done(run(server, "restore", tmp_path / "backup"))
        server.start()
        ada.server = server
        assert changes(ada, cursor).json()["restored"] is True
