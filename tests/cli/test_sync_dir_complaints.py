# SPDX-License-Identifier: Apache-2.0
"""What people complain about in the systems that they use today, each of it a test here."""

import os
import re
import resource
import sqlite3

import pytest

from sync_device import device, library, other, server  # noqa: F401 (fixtures)
from test_sync_dir_faults import BIG

QUIET = "P.*", "/v1/(uploads|photos|albums).*"  # nothing of that when nothing is left to do


def rests(device, library):
    """Whether it is done: another sync sends, asks and fetches nothing."""
    library.requests.clear()
    before = library.sent_bytes
    device.sync()
    return (library.count(*QUIET) == 0 and library.sent_bytes == before
            and library.count("GET", ".*/original") == 0)


def state(device):
    return sqlite3.connect(device.folder / ".imagesync" / "state.db")


def test_one_bad_file_blocks_no_queue(device, library):
    """immich #14361, #14349, #4723: refused and unreadable ones among many."""
    for i in range(60):
        device.put(f"in {i % 3}/{i:02}.jpg",
                   b"not a picture %d" % i if i % 20 == 7 else b"photo %d" % i)
    device.put("empty.jpg", b"")
    done = device.sync(status=1)
    assert len(library.living()) == 57 and "3 failed" in done.err
    assert rests(device, library)
    assert device.status()[0].count("unsupported_type") == 3


@pytest.mark.parametrize("body_max", [100_000_000, 1 << 20, 70_000])
def test_large_files_pass_a_proxy_that_refuses_long_bodies(device, library, body_max):
    """immich #567, #9461, #20923: Cloudflare takes 100 MB, nginx as it comes 1 MiB."""
    library.body_max = body_max
    large = os.urandom(1 << 20) * (130 if body_max > 1 << 20 else 3)
    device.put("large.jpg", large)
    device.put("small.jpg", b"small")
    device.sync()
    assert library.contents() == sorted([large, b"small"])
    assert library.longest <= body_max and library.count("POST", "/v1/uploads") == 2
    assert library.sent_bytes == len(large) + len(b"small"), "something was sent twice"


def test_a_device_that_was_away_for_long_brings_no_deleted_photo_back(device, other, library):
    """immich #25446, #8285; ente #1159: its cursor is too old, tombstones go by content."""
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    device.sync()
    for photo in list(library.living()):
        library.purge(photo)
    library.add("c.jpg", b"photo c")
    library.forget_log()
    (device.folder / "b.jpg").rename(device.folder / "other name.jpg")
    device.put("copy of a.jpg", b"photo a")
    device.sync()
    device.sync()
    assert library.contents() == [b"photo c"]
    assert sorted(device.files().values()) == [b"photo a", b"photo a", b"photo b", b"photo c"]
    assert library.count("POST", "/v1/uploads") == 2 and rests(device, library)
    other.put("again.jpg", b"photo b")
    other.sync()
    assert library.contents() == [b"photo c"]


def test_other_bytes_of_the_same_length_and_time_are_seen_and_sent_once(device, library):
    """immich #30374: a hash that is kept by name, length and time."""
    path = device.put("a.jpg", b"before")
    device.sync()
    times = path.stat()
    path.write_bytes(b"after!")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    device.sync()
    assert library.contents() == [b"after!", b"before"] and rests(device, library)
    os.utime(path)  # touched: read again, not sent
    device.sync()
    assert library.count("POST", "/v1/uploads") == 0 and rests(device, library)


def test_a_wrong_hash_in_the_cache_is_found_out_and_not_sent_for_ever(device, library):
    """immich #30374: one file of 88 MB, again and again."""
    large = os.urandom(1 << 20) * 88
    device.put("large.jpg", large)
    library.fault = lambda method, path: 503 if method == "POST" and path == "/v1/uploads" else None
    device.sync(status=1)
    with state(device) as db:
        assert db.execute("UPDATE file SET sha256 = zeroblob(32)").rowcount == 1
    db.close()
    library.fault = lambda method, path: None
    device.sync()
    assert library.contents() == [large]
    assert library.sent_bytes < 2 * len(large) and rests(device, library)


def test_a_file_that_changes_while_it_is_watched_is_sent_each_time_and_no_more(device, library):
    """ente #6433, #4848, #8134."""
    process = device.start()
    try:
        for i in range(4):
            device.put("a.jpg", b"version %d" % i)
            device.wait_for(process, lambda: b"version %d" % i in library.contents(), "not sent")
        replaced = device.put(".b", b"saved by rename")
        replaced.rename(device.folder / "a.jpg")
        device.wait_for(process, lambda: len(library.living()) == 5, "a saved file was not sent")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert library.count("POST", "/v1/uploads") == 5
    assert rests(device, library)
    assert device.files() == {b"a.jpg": b"saved by rename"}


def test_a_full_disk_is_said_leaves_no_half_files_and_is_got_over(device, library):
    """ente #10031, #9191: said with the status, nothing half, all of it when there is room."""
    rome = library.add_album("Rome")
    for i in range(6):
        library.change(library.add(f"{i}.jpg", BIG + b"%d" % i), albums=[rome] if i % 2 else [])
    library.add("small.jpg", b"small")
    device.put("up.jpg", b"mine")

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = device.sync(status=1, preexec_fn=small_disk)
    assert len(re.findall("the disk is full", done.err)) == 1
    assert b"mine" in library.contents(), "a full disk is no reason not to send"
    assert all(content in library.contents() for content in device.files().values())
    device.sync()
    assert sorted(device.files().values()) == library.contents() and len(device.files()) == 8
    assert rests(device, library)


def restore(library, backup):
    """The server as it was then; nothing that it told later is true."""
    for name in ["objects", "albums", "bytes"]:
        getattr(library, name).clear()
        getattr(library, name).update(backup[name])
    library.log[:] = backup["log"]
    if library.epoch:
        library.epoch = "fedcba9876543210"
    else:
        library.log.extend([{**library.log[-1], "kind": "edit"}] * 100)
        library.forget_log()


def backup_of(library):
    copies = {name: {**getattr(library, name)} for name in ["objects", "albums", "bytes"]}
    return {**copies, "log": [*library.log]}


@pytest.mark.parametrize("epoch", [None, "0123456789abcdef"])
def test_a_server_from_an_older_backup_gets_what_it_lost_and_takes_nothing(device, other, library,
                                                                          epoch):
    library.epoch = epoch
    for i in range(5):
        device.put(f"old/{i}.jpg", b"old %d" % i)
    device.sync()
    other.sync()
    backup = backup_of(library)
    for i in range(5):
        device.put(f"new/{i}.jpg", b"new %d" % i)
    library.purge(next(photo for photo, made in library.living().items()
                       if made["name"] == "4.jpg"))  # the restored server has it again
    device.sync()
    other.put("theirs.jpg", b"theirs")
    other.sync()
    device.sync()
    assert len(device.files()) == len(other.files()) == 10
    restore(library, backup)
    for i in range(20 if epoch else 0):  # its log is soon as long as the other was
        library.add(f"late {i}.jpg", b"late %d" % i)
    sent = library.count("POST", "/v1/uploads")
    for each in [device, other, device]:
        each.sync()
    assert device.files() == other.files() and len(device.files()) == 11 + (20 if epoch else 0)
    assert library.contents() == sorted(device.files().values())
    assert library.count("POST", "/v1/uploads") == sent + 6, "what one has sent, two have sent"
    assert library.album_names() == ["new", "old"]
    assert rests(device, library) and rests(other, library)


def test_changes_after_a_restore_are_heard_though_versions_begin_again(device, library):
    device.put("a.jpg", b"photo a")
    device.sync()
    device.sync()
    backup = backup_of(library)
    (photo,) = library.living()
    for name in ["b.jpg", "c.jpg", "d.jpg"]:
        library.change(photo, name=name)
    device.sync()
    assert list(device.files()) == [b"d.jpg"]
    restore(library, backup)
    device.sync()
    assert list(device.files()) == [b"a.jpg"]
    library.change(photo, name="e.jpg")
    device.sync()
    assert list(device.files()) == [b"e.jpg"]


def test_what_the_server_cannot_read_is_not_deleted(device, library):
    device.put("a.jpg", b"photo a")
    device.sync()
    device.sync()
    (photo,) = library.living()
    library.change(photo, favourite=True)
    del library.log[-1]["state"]
    library.log[-1]["unreadable"] = True
    device.sync()
    assert device.files() == {b"a.jpg": b"photo a"} and device.trash() == {}


def test_a_full_library_is_said_once_with_what_is_left(device, library):
    device.put("a.jpg", b"photo a")
    device.put("b.jpg", b"photo b")
    theirs = library.add("c.jpg", b"photo c")
    library.fault = lambda method, path: "full" if (method, path) == ("POST", "/v1/uploads") else None
    done = device.sync(status=1)
    assert done.err.count("the library is full") == 1 and "2 left to do" in done.err
    assert b"c.jpg" in device.files() and theirs in library.living()
    library.fault = lambda method, path: None
    assert "left to do" not in device.sync().err and len(library.living()) == 3


def test_a_watched_folder_says_when_it_is_in_sync(device, library):
    process = device.start()
    try:
        lines = [process.stderr.readline().decode()]
        assert lines == [f"{device.folder} is in sync, and watched: Ctrl-C ends it\n"]
        library.fault = lambda method, path: "cut"
        device.put("a.jpg", b"photo a")
        assert "cannot be reached" in process.stderr.readline().decode()
        library.fault = lambda method, path: None
        device.wait_for(process, library.living, "it did not go on")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and b"0 failed" in err
