# SPDX-License-Identifier: Apache-2.0
"""Backups: taken while the server runs, checked, and served from after they were restored."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from backends import rows, running
from harness import BINARY, Server
from library import download, picture, send
from people import Person, problem
from stores import place, store_of
from test_accounts import CHEAP
from test_changes import all_objects, changes, made
from test_rebuild import library_of, settle, told
from uploading import created

BACKENDS = ["embedded", "servers"]


@pytest.fixture
def in_a_file(backend):
    """Before a server is started."""
    if backend != "embedded":
        pytest.skip("a server of its own has its own copies")


@pytest.fixture
def server(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        yield server


def run(server, command, *words, data=None, **environment):
    return subprocess.run([BINARY, command, *map(str, words), "--data", data or server.data],
                          env={**server.environment, **environment}, capture_output=True, text=True,
                          timeout=120)


def done(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def environment_of(settings):
    return {"IMAGESYNC_" + name.upper(): str(value) for name, value in settings.items()}


@contextlib.contextmanager
def served(server, data, people, **environment):
    """What was restored there, by a server as that one, which the people talk to from now on."""
    other = Server.__new__(Server)
    other.__dict__.update(server.__dict__)
    other.folder, other.data, other.log_path = data.parent, data, data.parent / "server.log"
    other.environment = {**server.environment, **environment}
    (data / "models").symlink_to((server.data / "models").resolve())
    other.start()
    try:
        for person in people:
            person.server = other
            person.keep(person.sign_in())
        yield other
    finally:
        assert other.stop() == 0


def told_alike(person):
    """What is told but for the epoch of the log, which is another once it is restored."""
    return {path: (re.sub(rb'("cursor":"[0-9]+)[.][0-9a-f]{16}"', rb'\1"', content), tag)
            for path, (content, tag) in told(person).items()}


def originals(person):
    """The bytes of each photo."""
    found = {}
    for each in all_objects(person)[0]:
        if each["kind"] == "photo":
            reply = download(person, f"/v1/photos/{each['id']}/original")
            assert reply.status_code == 200, reply.text
            found[each["id"]] = reply.content
    return found


@pytest.mark.usefixtures("in_a_file")
def test_a_backup_is_served_as_what_was_backed_up(server, tmp_path):
    ada, bob = Person(server), Person(server)
    _, photos = library_of(ada)
    library_of(bob)
    settle(ada), settle(bob)
    folder, keys = tmp_path / "backup", tmp_path / "elsewhere" / "keys"
    keys.parent.mkdir()
    text = done(run(server, "backup", folder, "--keys", keys))
    assert "master key is NOT in it" in text and str(keys) in text
    before = told_alike(ada), originals(ada), told_alike(bob)
    assert len(before[1]) == 5
    assert keys.stat().st_mode & 0o077 == 0
    # Nobody can read what is in the folder; the keys are elsewhere.
    assert not [path for path in folder.rglob("*master*")]
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for marker in (b"Strand", b"Meer", ada.address.encode(), keys.read_bytes().split()[-2]):
        assert marker not in everything

    # The next takes only what is new.
    assert ", 0 of them new" in done(run(server, "backup", folder, "--keys", keys))
    late = send(ada, picture(77, (64, 48)), "late.jpg", "image/x-none")[0]
    settle(ada)
    assert ", 0 of them new" not in done(run(server, "backup", folder, "--keys", keys))
    before = told_alike(ada), originals(ada), told_alike(bob)
    made(ada, "after the backup")

    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    text = done(run(server, "restore", folder, "--keys", keys, data=other / "data"))
    assert "0 of them are missing" in text
    refused = run(server, "restore", folder, "--keys", keys, data=other / "data")
    assert refused.returncode == 3 and "is there already" in refused.stderr
    shutil.copy(server.data / "master.key", other / "data" / "master.key")
    assert "2 libraries" in done(run(server, "check", "--deep", data=other / "data"))
    (tmp_path / "restored").mkdir()
    shutil.move(other / "data", tmp_path / "restored")
    with served(server, tmp_path / "restored" / "data", (ada, bob)):
        assert (told_alike(ada), originals(ada), told_alike(bob)) == before
        assert late in before[1] and set(photos) < set(before[1])
        made(ada, "it goes on")


@pytest.mark.usefixtures("in_a_file")
def test_a_backup_of_a_folder_goes_into_a_bucket_and_back(server, tmp_path):
    ada = Person(server)
    library_of(ada)
    settle(ada)
    before = told_alike(ada), originals(ada)
    source = server
    for number, settings in enumerate((place(), {"blobs": tmp_path / "folder"})):
        environment = environment_of(settings)
        folder, keys = tmp_path / f"backup-{number}", tmp_path / f"keys-{number}"
        done(run(source, "backup", folder, "--keys", keys))
        data = tmp_path / f"served-{number}" / "data"
        data.mkdir(parents=True)
        text = done(run(source, "restore", folder, "--keys", keys, data=data, **environment))
        assert "0 of them are missing" in text
        shutil.copy(server.data / "master.key", data)
        done(run(source, "check", "--deep", data=data, **environment))
        with served(source, data, [ada], **environment) as source:
            assert store_of(source).sizes() == store_of(server).sizes()
            assert (told_alike(ada), originals(ada)) == before


@pytest.mark.usefixtures("in_a_file")
def test_a_damaged_backup_is_not_taken_for_good(server, tmp_path):
    ada = Person(server)
    library_of(ada)
    settle(ada)
    folder, keys = tmp_path / "backup", tmp_path / "keys"
    done(run(server, "backup", folder, "--keys", keys))
    files = sorted(path for path in (folder / "files" / "blobs").rglob("*") if path.is_file())
    good = files[0].read_bytes()
    os.chmod(files[0], 0o600)
    files[0].write_bytes(bytes([good[0] ^ 1]) + good[1:])
    files[1].unlink()
    place = tmp_path / "place"
    place.mkdir()
    result = run(server, "restore", folder, "--keys", keys, data=place)
    assert result.returncode == 1 and "2 of them are missing or damaged" in result.stdout
    assert "is not what was backed up" in result.stdout and "is missing" in result.stdout
    # The others are there.
    assert len([path for path in (place / "blobs" / "blobs").rglob("*") if path.is_file()]) == (
        len(files) - 2)

    for name in ("database.db", "files.sha256", "manifest.json"):
        text = (folder / name).read_bytes()
        (folder / name).write_bytes(text[:-20] + b"x" * 20)
        place = tmp_path / ("place-" + name)
        place.mkdir()
        result = run(server, "restore", folder, "--keys", keys, data=place)
        assert result.returncode == 3 and "not what was backed up" in result.stderr, result
        assert not (place / "imagesync.db").exists()
        (folder / name).write_bytes(text)
    (tmp_path / "no-keys").write_text("these are none\n")
    place = tmp_path / "place2"
    place.mkdir()
    result = run(server, "restore", folder, "--keys", tmp_path / "no-keys", data=place)
    assert result.returncode == 3 and "holds no keys" in result.stderr
    assert not (place / "imagesync.db").exists()


def test_files_beside_a_database_that_has_its_own_copies(server, tmp_path):
    if server.embedded:
        pytest.skip("its database is a file")
    ada = Person(server)
    library_of(ada)
    settle(ada)
    text = done(run(server, "backup", tmp_path / "backup"))
    assert "The database is NOT in it" in text
    assert not (tmp_path / "backup" / "database.db").exists()
    before = told_alike(ada), originals(ada)
    server.stop()
    store_of(server).lose()
    refused = run(server, "check")
    assert refused.returncode == 3, "another store is never taken for an empty one"
    store_of(server).lose()
    assert "0 of them are missing" in done(run(server, "restore", tmp_path / "backup"))
    done(run(server, "check", "--deep"))
    server.start()
    assert (told_alike(ada), originals(ada)) == before


def test_the_command_lines_are_wrong(server, tmp_path):
    assert run(server, "backup", tmp_path / "x").returncode == (2 if server.embedded else 0)
    assert run(server, "backup").returncode == 2
    assert run(server, "restore", tmp_path / "nothing", "--keys", "x").returncode == 3
    assert run(server, "check", "more").returncode == 2


def test_check_finds_what_is_wrong(server):
    ada = Person(server)
    library_of(ada)
    settle(ada)
    text = done(run(server, "check", "--deep"))
    assert text.startswith("1 libraries with ") and "; 0 wrong, 0 files" in text
    store = store_of(server)
    name, *others = sorted(store.sizes())
    assert len(others) >= 4

    # A flipped bit shows only when the file is opened.
    good = store.read(name)
    store.write(name, good[:-1] + bytes([good[-1] ^ 1]))
    done(run(server, "check"))
    result = run(server, "check", "--deep")
    assert result.returncode == 1 and "is damaged" in result.stdout and "; 1 wrong" in result.stdout
    store.write(name, good[:-1])
    result = run(server, "check")
    assert result.returncode == 1 and "has another length" in result.stdout
    store.remove(name)
    result = run(server, "check")
    assert result.returncode == 1 and "is missing" in result.stdout
    store.write(name, good)
    done(run(server, "check", "--deep"))

    # A file that nobody knows, once it is no young one.
    orphan = others[0][:3] + "0" * 60
    store.write(orphan, good)
    done(run(server, "check"))
    if server.backend != "stores":  # what is in a bucket is as old as it is
        os.utime(Path(server.blobs) / "blobs" / orphan, (1, 1))
        result = run(server, "check")
        assert result.returncode == 1 and "nobody's: the file" in result.stdout
        # What a crash leaves of an upload is that upload's until its time is over.
        created(ada, 9)
        rows(server, f"UPDATE sync_upload SET blob_name = '{orphan}' WHERE size = 9")
        done(run(server, "check"))
    store.remove(orphan)

    # Tables that are not what the log comes to, which a rebuild mends.
    rows(server, "UPDATE sync_object SET version = 77 WHERE kind = 'album'")
    result = run(server, "check")
    assert result.returncode == 1 and "is not what the log says" in result.stdout
    rows(server, "DELETE FROM sync_object WHERE kind = 'album'")
    result = run(server, "check")
    assert result.returncode == 1 and "is missing; imagesync rebuild" in result.stdout
    done(run(server, "rebuild", "--all"))
    done(run(server, "check"))

    # A gap in the log.
    seq = changes(ada).json()["next"]
    rows(server, f"DELETE FROM event WHERE seq = {seq - 3}")
    result = run(server, "check")
    assert result.returncode == 1 and f"a gap before change {seq - 2}" in result.stdout
    rows(server, f"DELETE FROM event WHERE seq = {seq}")
    result = run(server, "check")
    assert result.returncode == 1 and f"ends before change {seq}" in result.stdout
    assert problem(ada.call("GET", "/v1/albums/x")) == (404, "not_found")
