# SPDX-License-Identifier: Apache-2.0
"""imagesync sync: a folder and a library that come to be alike, and stay so."""

import signal

import pytest

from library_server import Library, serve
from sync_device import device, library, other, server  # noqa: F401 (fixtures)


def test_300_files_go_up_and_nothing_is_sent_twice(device, library):
    for i in range(300):
        device.put(f"day {i % 7}/IMG_{i}.jpg", b"photo %d" % i)
    device.sync()
    assert library.contents() == sorted(b"photo %d" % i for i in range(300))
    assert library.names() == sorted(f"IMG_{i}.jpg" for i in range(300))
    library.requests.clear()
    done = device.sync()
    assert "0 sent, 0 received" in done.err
    assert library.count("POST", "/v1/uploads.*") == 0


def test_another_device_gets_them_all(device, other, library):
    for i in range(20):
        device.put(f"{i}.jpg", b"photo %d" % i)
    device.sync()
    other.sync()
    assert other.files() == device.files()
    library.requests.clear()
    other.sync()
    device.sync()
    assert other.files() == device.files() and len(device.files()) == 20
    assert library.count("GET", ".*/original") == 0 and library.count("POST", "/v1/uploads") == 0


def test_what_is_in_both_already_moves_neither_way(device, library):
    library.add("a.jpg", b"the same")
    device.put("mine/b.jpg", b"the same")
    device.sync()
    assert device.files() == {b"mine/b.jpg": b"the same"}
    assert library.count("POST", "/v1/uploads") == 0


def test_a_file_that_is_renamed_keeps_its_photo(device, library):
    device.put("a.jpg", b"photo")
    device.sync()
    (photo,) = library.living()
    (device.folder / "trips").mkdir()
    (device.folder / "a.jpg").rename(device.folder / "trips" / "Rome.jpg")
    device.sync()
    assert library.living()[photo]["name"] == "Rome.jpg" and len(library.objects) == 1
    assert library.count("POST", "/v1/uploads") == 1
    assert device.files() == {b"trips/Rome.jpg": b"photo"}


def test_a_photo_that_is_renamed_renames_the_file(device, library):
    device.put("trips/a.jpg", b"photo")
    device.sync()
    device.sync()
    (photo,) = library.living()
    library.change(photo, name="Rome.jpg")
    device.sync()
    assert device.files() == {b"trips/Rome.jpg": b"photo"}
    library.requests.clear()
    device.sync()
    assert library.names() == ["Rome.jpg"] and library.count("PATCH", "/v1/photos/.*") == 0


def test_a_new_name_wins_over_a_version_that_is_old(device, library):
    device.put("a.jpg", b"photo")
    device.sync()
    device.sync()
    (photo,) = library.living()
    library.change(photo, favourite=True)
    (device.folder / "a.jpg").rename(device.folder / "b.jpg")
    device.sync()
    assert library.living()[photo]["name"] == "b.jpg" and library.living()[photo]["favourite"]


def test_halves_of_a_photo_are_told_to_be_a_pair(device, library):
    for name in ["in/IMG_1.HEIC", "in/IMG_1.MOV", "IMG_1.MOV", "IMG_2.jpg", "IMG_2.png"]:
        device.put(name, name.encode())
    device.sync()
    pairs = {bytes(upload["data"]): upload["pair"] for upload in library.uploads.values()}
    assert pairs.pop(b"in/IMG_1.HEIC") == pairs.pop(b"in/IMG_1.MOV") is not None
    assert set(pairs.values()) == {None}


def test_a_file_that_changed_is_a_new_photo_and_the_old_one_stays(device, library):
    path = device.put("a.jpg", b"before")
    device.sync()
    path.write_bytes(b"after it was edited")
    device.sync()
    assert library.contents() == [b"after it was edited", b"before"]
    device.sync()
    assert device.files() == {b"a.jpg": b"after it was edited"}


def test_a_file_deleted_here_stays_in_the_library_and_away(device, library):
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    device.sync()
    (device.folder / "a.jpg").unlink()
    device.sync()
    library.change(next(iter(library.living())), favourite=True)
    device.sync()
    assert library.contents() == [b"photo a", b"photo b"]
    assert device.files() == {b"b.jpg": b"photo b"}


def test_deleting_in_the_library_too_has_to_be_asked_for(device, library):
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    device.sync()
    (device.folder / "a.jpg").unlink()
    device.sync("--delete-to-trash")
    assert library.contents() == [b"photo b"] and len(library.bytes) == 2
    device.sync("--delete-to-trash")
    assert device.files() == {b"b.jpg": b"photo b"}


def test_one_way_only(device, library):
    device.put("mine.jpg", b"mine")
    theirs = library.add("theirs.jpg", b"theirs")
    device.sync("--pull-only")
    assert library.contents() == [b"theirs"] and len(device.files()) == 2
    (device.folder / "theirs.jpg").unlink()
    device.sync("--pull-only", "--delete-to-trash")
    assert library.contents() == [b"theirs"]
    library.add("more.jpg", b"more")
    library.change(theirs, name="other.jpg")
    device.sync("--push-only")
    assert device.files() == {b"mine.jpg": b"mine"}
    assert library.contents() == [b"mine", b"more", b"theirs"]


def test_all_files_gone_at_once_are_never_deleted_in_the_library(device, library):
    for i in range(30):
        device.put(f"{i}.jpg", b"photo %d" % i)
    device.sync()
    for i in range(30):
        (device.folder / f"{i}.jpg").unlink()
    done = device.sync("--delete-to-trash")
    assert "gone at once" in done.err
    assert len(library.living()) == 30


@pytest.mark.parametrize("how", ["trash", "purge"])
def test_what_is_deleted_in_the_library_goes_to_the_trash_here(device, library, how):
    device.put("in/a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    device.sync()
    device.sync()
    photo = next(photo for photo, state in library.living().items() if state["name"] == "a.jpg")
    getattr(library, how)(photo)
    device.sync()
    assert device.files() == {b"b.jpg": b"photo b"}
    assert device.trash() == {b"a.jpg": b"photo a"}
    device.sync()
    assert library.contents() == [b"photo b"]
    if how == "trash":
        library.change(photo, trashed=None)
        device.sync()
        assert device.files() == {b"in/a.jpg": b"photo a", b"b.jpg": b"photo b"}


def test_what_was_deleted_in_the_library_does_not_come_back(device, other, library):
    device.put("a.jpg", b"photo a")
    device.sync()
    library.purge(next(iter(library.living())))
    other.put("copy.jpg", b"photo a")
    done = other.sync()
    assert "was deleted from the library" in done.err
    other.sync()
    assert library.living() == {} and library.count("POST", "/v1/uploads") == 1
    assert other.files() == {b"copy.jpg": b"photo a"}


def test_a_file_that_changed_here_survives_a_deletion_there(device, library):
    path = device.put("a.jpg", b"before")
    device.sync()
    device.sync()
    library.purge(next(iter(library.living())))
    path.write_bytes(b"edited offline")
    device.sync()
    assert library.contents() == [b"edited offline"]
    assert device.files() == {b"a.jpg": b"edited offline"}


def test_nothing_is_overwritten(device, library):
    device.put("a.jpg", b"mine")
    device.sync()
    library.add("a.jpg", b"theirs")
    library.add("a.jpg", b"a third")
    device.sync()
    assert sorted(device.files().values()) == [b"a third", b"mine", b"theirs"]
    assert sorted(device.files()) == [b"a (2).jpg", b"a (3).jpg", b"a.jpg"]
    assert device.files()[b"a.jpg"] == b"mine"
    device.sync()
    assert library.names() == ["a.jpg"] * 3


def test_a_cursor_that_is_too_old_costs_no_file(device, library):
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    device.sync()
    gone = next(photo for photo, state in library.living().items() if state["name"] == "b.jpg")
    library.purge(gone)
    for i in range(700):
        library.add(f"n{i}.jpg", b"new %d" % i)
    library.forget_log()
    done = device.sync()
    assert "listed anew" in done.err
    assert len(device.files()) == 702 and device.files()[b"b.jpg"] == b"photo b"
    assert device.trash() == {}
    assert "listed anew" not in device.sync().err


def test_an_empty_disk_is_no_deletion(device, library, tmp_path):
    device.put("a.jpg", b"photo a")
    device.sync()
    device.folder.rename(tmp_path / "elsewhere")
    device.folder.mkdir()
    done = device.sync("--delete-to-trash", status=3)
    assert "not mounted" in done.err
    assert list(device.folder.iterdir()) == [] and len(library.living()) == 1
    device.folder.rmdir()
    (tmp_path / "elsewhere").rename(device.folder)
    device.sync()


def test_another_account_or_server_is_refused(device, library):
    device.put("a.jpg", b"photo a")
    device.sync()
    library.user = "01890000-0000-7000-8000-000000000000"
    assert "another account" in device.sync(status=3).err
    second = serve(Library())
    device.url = second.url
    assert "is synced with" in device.sync(status=3).err
    second.shutdown()
    assert len(library.living()) == 1


def test_two_at_once_are_one_too_many(device, library):
    process = device.start()
    try:
        device.put("a.jpg", b"photo a")
        device.wait_for(process, library.living, "nothing was sent")
        assert "another 'imagesync sync'" in device.sync(status=3).err
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_status_says_how_far_it_is(device, library):
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"not a picture")
    library.add("c.jpg", b"photo c")
    assert "unsupported_type" in device.sync(status=1).err
    text, lines = device.status()
    assert ["in sync", "2"] in [line.split("  ")[0:1] + [line.split()[-1]] for line in
                                text.splitlines()]
    assert ["b.jpg:", "unsupported_type (415)"] in lines


def test_a_file_that_is_refused_is_not_sent_again_until_it_changes(device, library):
    path = device.put("b.jpg", b"not a picture")
    for i in range(5):
        device.put(f"{i}.jpg", b"photo %d" % i)
    device.sync(status=1)
    assert len(library.living()) == 5
    library.requests.clear()
    device.sync()
    assert library.count("POST", "/v1/uploads.*") == 0
    path.write_bytes(b"a picture after all")
    device.sync()
    assert len(library.living()) == 6
