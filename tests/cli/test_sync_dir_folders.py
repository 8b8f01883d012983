# SPDX-License-Identifier: Apache-2.0
"""imagesync sync: folders in the folder are albums, both ways."""

import os
import shutil
import signal
import sqlite3
import subprocess

import pytest

from sync_device import device, library, other, server  # noqa: F401 (fixtures)
from test_sync_dir_faults import end_at, kill_at, kill_shim  # noqa: F401 (a fixture)


def uploads(library):
    return library.count("POST", "/v1/uploads")


def put_trips(device):
    device.put("Trips/2026 Rome/a.jpg", b"photo a")
    device.put("Trips/2026 Rome/b.jpg", b"photo b")
    device.put("Family/c.jpg", b"photo c")
    device.put("d.jpg", b"photo d")


def test_a_folder_is_an_album_there_and_a_folder_on_other_devices(device, other, library):
    put_trips(device)
    device.sync()
    assert library.album_names() == ["Family", "Trips/2026 Rome"]
    assert library.shelves() == {"a.jpg": ["Trips/2026 Rome"], "b.jpg": ["Trips/2026 Rome"],
                                 "c.jpg": ["Family"], "d.jpg": []}
    other.sync()
    assert other.files() == device.files() and b"Trips/2026 Rome/a.jpg" in other.files()
    other.put("Family/e.jpg", b"photo e")
    other.sync()
    library.requests.clear()
    device.sync()
    assert device.files() == other.files() and b"Family/e.jpg" in device.files()
    assert library.album_names() == ["Family", "Trips/2026 Rome"]
    device.sync()
    other.sync()
    assert library.count("P.*", "/v1/(photos|albums|uploads).*") == 0, "it does not come to rest"


def test_an_album_that_is_there_is_taken(device, library):
    library.albums_page = 2
    for name in ["Family", "One", "Three", "Two", "Zoo"]:
        library.add_album(name)
    device.put("Zoo/a.jpg", b"photo a")
    device.put("Three/b.jpg", b"photo b")
    device.sync("--push-only")
    assert library.album_names() == ["Family", "One", "Three", "Two", "Zoo"]
    assert library.shelves() == {"a.jpg": ["Zoo"], "b.jpg": ["Three"]}


def test_a_photo_of_several_albums_is_there_once_in_the_first(device, library):
    rome, family = library.add_album("Rome"), library.add_album("Family")
    photo = library.add("a.jpg", b"photo")
    library.change(photo, albums=[rome, family])
    device.sync()
    assert device.files() == {b"Rome/a.jpg": b"photo"}
    library.change(photo, albums=[family])
    device.sync()
    assert device.files() == {b"Family/a.jpg": b"photo"}
    assert not (device.folder / "Rome").exists()
    library.change(photo, albums=[family, rome])
    device.sync()
    assert device.files() == {b"Family/a.jpg": b"photo"}
    assert uploads(library) == 0 and library.count("PATCH", ".*") == 0
    assert library.count("GET", ".*/original") == 1


def test_moving_between_folders_changes_the_album_and_sends_nothing(device, other, library):
    put_trips(device)
    device.sync()
    other.sync()
    library.requests.clear()
    (device.folder / "Family" / "c.jpg").rename(device.folder / "Trips" / "2026 Rome" / "c.jpg")
    shutil.copy(device.folder / "d.jpg", device.folder / "Family" / "d.jpg")  # not even by rename
    (device.folder / "d.jpg").unlink()
    (device.folder / "Trips" / "2026 Rome" / "a.jpg").rename(device.folder / "a.jpg")
    device.sync()
    assert library.shelves() == {"a.jpg": [], "b.jpg": ["Trips/2026 Rome"],
                                 "c.jpg": ["Trips/2026 Rome"], "d.jpg": ["Family"]}
    other.sync()
    device.sync()
    assert other.files() == device.files()
    assert {b"a.jpg", b"Family/d.jpg", b"Trips/2026 Rome/c.jpg"} <= set(other.files())
    assert uploads(library) == 0 and library.count("GET", ".*/original") == 0


def test_other_albums_stay_when_a_file_moves(device, library):
    rome, family = library.add_album("Rome"), library.add_album("Family")
    photo = library.add("a.jpg", b"photo")
    library.change(photo, albums=[rome, family])
    device.sync()
    (device.folder / "Paris").mkdir()
    (device.folder / "Rome" / "a.jpg").rename(device.folder / "Paris" / "a.jpg")
    device.sync()
    device.sync()
    assert library.shelves() == {"a.jpg": ["Paris", "Family"]}
    assert device.files() == {b"Paris/a.jpg": b"photo"}


def test_a_copy_in_another_folder_is_in_both_albums(device, other, library):
    device.put("Rome/a.jpg", b"photo")
    device.put("Family/a.jpg", b"photo")
    device.sync()
    device.sync()
    assert uploads(library) == 1
    assert sorted(library.shelves()["a.jpg"]) == ["Family", "Rome"]
    other.sync()
    assert list(other.files().values()) == [b"photo"]
    (device.folder / "Rome").rename(device.folder / "Paris")
    device.sync()
    assert sorted(library.shelves()["a.jpg"]) == ["Family", "Paris"]
    assert device.files() == {b"Paris/a.jpg": b"photo", b"Family/a.jpg": b"photo"}


def test_a_copy_in_the_folder_itself_stays_there(device, library):
    device.put("Rome/a.jpg", b"photo")
    device.sync()
    device.put("copy.jpg", b"photo")
    device.sync()
    library.change(next(iter(library.living())), favourite=True)
    device.sync()
    assert device.files() == {b"Rome/a.jpg": b"photo", b"copy.jpg": b"photo"}
    assert library.shelves() == {"a.jpg": ["Rome"]}


def test_a_renamed_folder_renames_its_album(device, other, library):
    put_trips(device)
    device.sync()
    other.sync()
    (device.folder / "Trips").rename(device.folder / "Travels")
    device.sync()
    assert library.album_names() == ["Family", "Travels/2026 Rome"]
    other.sync()
    assert other.files() == device.files() and b"Travels/2026 Rome/a.jpg" in other.files()
    assert not (other.folder / "Trips").exists()
    assert uploads(library) == 4


def test_a_renamed_album_renames_the_folder_and_a_removed_one_leaves_the_photos(device, library):
    put_trips(device)
    device.sync()
    device.sync()
    rome = next(album for album, made in library.albums.items()
                if made["state"]["name"] == "Trips/2026 Rome")
    library.rename_album(rome, "Roma")
    device.sync()
    assert {b"Roma/a.jpg", b"Roma/b.jpg"} <= set(device.files())
    assert not (device.folder / "Trips").exists()
    library.remove_album(rome)
    device.sync()
    device.sync()
    assert {b"a.jpg", b"b.jpg", b"Family/c.jpg", b"d.jpg"} == set(device.files())
    assert library.album_names() == ["Family"] and len(library.living()) == 4


@pytest.mark.parametrize("options", [[], ["--delete-to-trash"]])
def test_a_folder_that_is_removed_comes_back(device, library, options):
    put_trips(device)
    device.sync()
    before = device.files()
    shutil.rmtree(device.folder / "Trips")
    device.sync(*options)
    assert device.files() == before and len(library.living()) == 4
    assert uploads(library) == 4
    device.sync(*options)
    assert library.shelves()["a.jpg"] == ["Trips/2026 Rome"]


def test_a_folder_that_is_removed_while_it_is_watched_comes_back(device, library):
    for i in range(300):
        device.put(f"Trips/{i}.jpg", b"photo %d" % i)
    process = device.start()
    try:
        device.wait_for(process, lambda: len(library.living()) == 300, "they were not sent")
        before = device.files()
        for path in sorted((device.folder / "Trips").iterdir()):
            path.unlink()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.004)  # as slowly as a large folder goes
        (device.folder / "Trips").rmdir()
        device.wait_for(process, lambda: device.files() == before, "some did not come back")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert len(library.living()) == 300 and uploads(library) == 300


@pytest.mark.parametrize("name", ["../x", "/etc", "..", ".", ".hidden", ".imagesync", "a/../../../b",
                                  "x" * 400, "/".join(["deep"] * 80), "a\\..\\b", "CON", "x.tmp",
                                  "two\nlines", "\x1b[2J", "//", "Trip/.imagesync/trash", "a.jpg"])
def test_no_album_leads_out_of_the_folder(device, other, library, tmp_path, name):
    before = {path for path in tmp_path.rglob("*") if ".imagesync" not in path.parts}
    album = library.add_album(name)
    library.change(library.add("a.jpg", b"evil"), albums=[album])
    device.put("a.jpg", b"mine")
    device.sync()
    made = {path for path in tmp_path.rglob("*") if ".local" not in path.parts} - before
    made = {path for path in made if path.is_file() and path.read_bytes() == b"evil"}
    (path,) = made
    below = path.relative_to(device.folder)
    assert not any(part.startswith(".") for part in below.parts)
    assert (device.folder / "a.jpg").read_bytes() == b"mine"
    device.put(str(below.with_name("b.jpg")), b"beside it")
    device.sync()
    device.sync()
    if len(below.parts) > 1:
        assert library.shelves()["b.jpg"] == [name] and library.album_names() == [name]
    other.sync()
    assert sorted(other.files().values()) == [b"beside it", b"evil", b"mine"]


def test_albums_that_differ_in_case_or_form_alone_lose_nothing(device, other, library):
    for i, name in enumerate(["Trip", "trip", "Caf\u00e9", "Cafe\u0301"]):
        library.change(library.add("a.jpg", b"photo %d" % i), albums=[library.add_album(name)])
    device.sync()
    other.sync()
    device.sync()
    assert sorted(device.files().values()) == [b"photo %d" % i for i in range(4)]
    assert device.files() == other.files() and len(library.album_names()) == 4


def test_a_link_or_a_file_in_the_place_of_a_folder_leads_nowhere(device, library, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (device.folder / "Rome").symlink_to(outside)
    device.put("Family", b"a file")
    for name in ["Rome", "Rome/deep", "Family"]:
        library.change(library.add("a.jpg", name.encode()), albums=[library.add_album(name)])
    device.sync()
    assert list(outside.iterdir()) == []
    assert {b"Rome", b"Rome/deep", b"Family", b"a file"} == set(device.files().values())
    assert device.files()[b"Family"] == b"a file"
    device.sync()
    assert library.shelves().keys() == {"a.jpg", "Family"} and list(outside.iterdir()) == []


def test_a_folder_that_can_be_no_album_holds_up_nothing(device, library):
    device.put("/".join(["a" * 120] * 4) + "/a.jpg", b"photo a")
    device.put(" /c.jpg", b"photo c")
    device.put("Rome/b.jpg", b"photo b")
    assert "cannot be an album" in device.sync(status=1).err
    assert library.contents() == [b"photo a", b"photo b", b"photo c"]
    assert library.album_names() == ["Rome"]
    library.requests.clear()
    device.sync()
    assert library.count("POST", "/v1/albums") == 0


def test_a_folder_without_a_name_in_unicode_is_one_album(device, other, library):
    folder = os.path.join(os.fsencode(device.folder), b"not \xff utf-8")
    os.mkdir(folder)
    for name in [b"a.jpg", b"b.jpg"]:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)
        device.sync()
    assert library.album_names() == ["not \ufffd utf-8"]
    other.sync()
    device.sync()
    assert set(device.files()) == {b"not \xff utf-8/a.jpg", b"not \xff utf-8/b.jpg"}


@pytest.mark.parametrize("request_number", range(2, 30, 3))
def test_killed_at_any_request_folders_come_to_the_same_end(device, other, library, request_number):
    put_trips(device)
    device.sync()
    other.sync()
    (device.folder / "Family").rename(device.folder / "Kin")
    (device.folder / "d.jpg").rename(device.folder / "Trips" / "d.jpg")
    device.put("New/e.jpg", b"photo e")
    library.change(library.add("f.jpg", b"photo f"), albums=[library.add_album("Theirs")])
    kill_at(library, device, request_number)
    kill_at(library, other, request_number)
    for each in [device, other, device, other]:
        each.sync()
    assert device.files() == other.files() == {
        b"Trips/2026 Rome/a.jpg": b"photo a", b"Trips/2026 Rome/b.jpg": b"photo b",
        b"Kin/c.jpg": b"photo c", b"Trips/d.jpg": b"photo d", b"New/e.jpg": b"photo e",
        b"Theirs/f.jpg": b"photo f"}
    assert set(library.album_names()) >= {"Kin", "New", "Theirs", "Trips", "Trips/2026 Rome"}
    assert len(library.album_names()) == 5


def test_ended_at_any_write_a_move_by_the_library_is_nobody_elses(device, library, kill_shim):
    rome, family = library.add_album("Rome"), library.add_album("Family")
    photo = library.add("a.jpg", b"photo")
    library.change(photo, albums=[rome])
    device.sync()
    at, albums, more = 1, [rome], True
    while more:
        albums = [family, rome] if albums == [rome] else [rome]
        library.change(photo, albums=albums)
        more = end_at(device, kill_shim, at)
        device.sync()
        assert device.files() == {os.fsencode(library.shelves()["a.jpg"][0] + "/a.jpg"): b"photo"}, at
        assert library.living()[photo]["albums"] == albums, at
        at += 1
    assert at > 4


def test_new_folders_are_watched_with_what_came_before_the_watch(device, library, tmp_path):
    process = device.start()
    try:
        device.put("one.jpg", b"one")
        device.wait_for(process, lambda: len(library.living()) == 1, "one.jpg was not sent")
        for i in range(40):
            device.put(f"new {i}/deeper/{i}.jpg", b"photo %d" % i)
        device.wait_for(process, lambda: len(library.living()) == 41, "some were not seen")
        for i in range(5):
            (tmp_path / "away" / "in").mkdir(parents=True)
            (tmp_path / "away" / "in" / "a.jpg").write_bytes(b"moved in %d" % i)
            (tmp_path / "away").rename(device.folder / f"moved {i}")
        device.wait_for(process, lambda: len(library.living()) == 46, "what moved in was not seen")
        device.put("moved 3/in/b.jpg", b"into a folder that moved in")
        device.wait_for(process, lambda: len(library.living()) == 47, "the last was not seen")
        device.wait_for(process, lambda: library.shelves()["b.jpg"] == ["moved 3/in"], "no album")
        album = next(iter(library.albums))
        library.change(library.add("down.jpg", b"down"), albums=[album])
        device.wait_for(process, lambda: b"down" in device.files().values(), "it did not come")
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_a_folder_from_before_albums_goes_on_as_it_was(device, library):
    """Of the version that put all photos into DIR itself, and knew of no albums."""
    rome = library.add_album("Rome")
    photo = library.add("a.jpg", b"photo a")
    device.put("in/b.jpg", b"photo b")
    device.sync()
    library.change(photo, albums=[rome])
    with sqlite3.connect(device.folder / ".imagesync" / "state.db") as state:
        for column in ["ctime_ns", "albums", "folder", "move_due", "left_folder"]:
            state.execute(f"ALTER TABLE file DROP COLUMN {column}")
        state.execute("ALTER TABLE photo DROP COLUMN albums")
        state.execute("DROP TABLE album")
    state.close()
    library.requests.clear()
    device.sync()
    assert device.files() == {b"a.jpg": b"photo a", b"in/b.jpg": b"photo b"}
    assert uploads(library) == library.count("GET", ".*/original") == 0
    assert library.shelves() == {"a.jpg": ["Rome"], "b.jpg": ["in"]}
    library.change(library.add("c.jpg", b"photo c"), albums=[rome])
    device.sync()
    assert device.files()[b"Rome/c.jpg"] == b"photo c" and device.files()[b"a.jpg"] == b"photo a"
