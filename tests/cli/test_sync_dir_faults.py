# SPDX-License-Identifier: Apache-2.0
"""imagesync sync when things go wrong: cuts, errors, kills, full disks, odd files."""

import fcntl
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from library_server import Library, serve
from sync_device import Device, device, library, other, server  # noqa: F401 (fixtures)

BIG = bytes(range(256)) * 4096 * 3  # 3 MiB


def kill_at(library, device, request, *options):
    """Starts a sync and kills it at the request of that number; whether it came so far."""
    process = device.start("--once", *options)
    count = 0

    def fault(method, path):
        nonlocal count
        count += 1
        if count == request:
            process.kill()
            process.wait()
            return "cut"
        return None

    library.fault = fault
    process.communicate(timeout=60)
    library.fault = lambda method, path: None
    return process.returncode == -signal.SIGKILL


def test_an_upload_goes_on_where_it_was_cut(device, library):
    device.put("big.jpg", BIG)
    library.cut_after = 2 << 20
    device.sync()
    assert library.contents() == [BIG]
    assert library.count("POST", "/v1/uploads") == 1
    assert library.sent_bytes == len(BIG)


def test_an_upload_goes_on_after_a_kill(device, library):
    device.put("big.jpg", BIG)
    library.cut_after = 1 << 20
    assert kill_at(library, device, 5)  # the HEAD after the cut: library, check, POST, PATCH, HEAD
    assert library.contents() == []
    device.sync()
    assert library.contents() == [BIG]
    assert library.count("POST", "/v1/uploads") == 1 and library.sent_bytes == len(BIG)


def test_an_upload_whose_end_was_not_heard_of_is_not_sent_again(device, library):
    device.put("a.jpg", b"photo")
    answered = []

    def lose_the_answer(method, path):
        if method == "HEAD" and not answered:
            answered.append(path)
            return 404  # as a server that has forgotten it
        return None

    library.cut_after = len(b"photo")
    library.fault = lose_the_answer
    device.sync()
    device.sync()
    assert library.contents() == [b"photo"]


def test_a_download_goes_on_where_it_was_cut(device, library):
    library.add("big.jpg", BIG)
    library.cut_after = 2 << 20
    device.sync()
    assert device.files() == {b"big.jpg": BIG}
    assert library.count("GET", ".*/original") == 2


def test_half_a_download_that_is_something_else_is_thrown_away(device, library):
    library.add("big.jpg", BIG)
    library.cut_after = 1 << 20
    assert kill_at(library, device, 6, "--pull-only")
    (half,) = (device.folder / ".imagesync" / "tmp").iterdir()
    half.write_bytes(b"\0" * half.stat().st_size)
    device.sync()
    assert device.files() == {b"big.jpg": BIG}


@pytest.mark.parametrize("status", [500, 503, 429, "cut"])
def test_a_server_that_fails_now_and_then_is_asked_again(device, library, status):
    rng = random.Random(7)
    for i in range(10):
        device.put(f"{i}.jpg", b"photo %d" % i)
    library.add("theirs.jpg", b"theirs")
    library.fault = lambda method, path: status if rng.random() < 0.1 else None
    process = device.start()
    try:
        device.wait_for(process, lambda: len(library.living()) == 11 and len(device.files()) == 11,
                        "it did not come to an end")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert library.contents() == sorted(device.files().values())


def test_one_file_that_always_fails_blocks_no_other(device, library):
    for i in range(30):
        device.put(f"{i:02}.jpg", b"photo %d" % i)
    uploads = library.uploads

    def fault(method, path):
        bad = any(path.endswith(upload) and made["name"] == "03.jpg"
                  for upload, made in uploads.items())
        return 500 if method == "PATCH" and bad else None

    library.fault = fault
    process = device.start()
    try:
        device.wait_for(process, lambda: len(library.living()) == 29, "the others were not sent")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_an_unknown_server_is_an_error_and_nothing_is_lost(device, library, server):
    device.put("a.jpg", b"photo")
    library.fault = lambda method, path: "cut"
    assert "cannot be reached" in device.sync(status=1).err
    library.fault = lambda method, path: None
    device.sync()
    assert library.contents() == [b"photo"]


def test_signed_out_is_said_and_ends_it(device, library):
    device.env["IMAGESYNC_TOKEN"] = "isk_wrong"
    assert "does not let us in" in device.sync(status=1).err


def test_signed_out_while_it_watches_ends_it(device, library):
    process = device.start()
    try:
        device.put("a.jpg", b"photo")
        device.wait_for(process, library.living, "nothing was sent")
        library.fault = lambda method, path: 401
        library.add("b.jpg", b"their photo")
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1 and b"does not let us in" in err


@pytest.mark.parametrize("seed", range(6))
def test_killed_anywhere_it_comes_to_the_same_end(device, other, library, seed):
    rng = random.Random(seed)
    contents = {b"%d.jpg" % i: b"photo %d" % i * rng.randint(1, 9000) for i in range(12)}
    for name, content in contents.items():
        device.put(os.fsdecode(name), content)
    theirs = [library.add(f"t{i}.jpg", b"theirs %d" % i * 1000) for i in range(6)]
    for _ in range(12):
        victim = rng.choice([device, other])
        if rng.random() < 0.3:
            library.cut_after = rng.randint(1, 5000)
        kill_at(library, victim, rng.randint(1, 30))
        if rng.random() < 0.3:
            library.change(rng.choice(theirs), favourite=bool(rng.random() < 0.5))
    library.cut_after = None
    for _ in range(2):
        device.sync()
        other.sync()
    assert len(library.living()) == 18, "a photo is missing or there twice"
    assert device.files() == other.files()
    assert sorted(device.files().values()) == library.contents()


@pytest.fixture(scope="session")
def kill_shim(tmp_path_factory):
    made = tmp_path_factory.mktemp("shim") / "kill_shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, Path(__file__).with_name("kill_shim.c"),
                    "-ldl"], check=True)
    return str(made)


def end_at(device, shim, at):
    """A sync that ends at the at-th write to disk; whether it came so far."""
    done = subprocess.run(device.command("--once"), timeout=60, check=False, capture_output=True,
                          env={**device.env, "LD_PRELOAD": shim, "KILL_AT": str(at)})
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("first", range(1, 5))
def test_ended_at_any_write_to_disk_it_comes_to_the_same_end(binary, clean_env, tmp_path, kill_shim,
                                                             first):
    at = first
    while True:
        library = Library()
        server = serve(library)
        try:
            device = Device(binary, clean_env, tmp_path / str(at), server.url)
            device.put("up.jpg", b"up")
            down, gone = library.add("down.jpg", b"down"), library.add("gone.jpg", b"gone")
            device.sync()
            device.put("up 2.jpg", b"up 2")
            (device.folder / "up.jpg").rename(device.folder / "moved.jpg")
            library.add("down 2.jpg", b"down 2")
            library.change(down, name="named.jpg")
            library.trash(gone)
            more = end_at(device, kill_shim, at)
            device.sync()
            device.sync()
        finally:
            server.shutdown()
            server.server_close()
        assert device.files() == {b"moved.jpg": b"up", b"up 2.jpg": b"up 2", b"named.jpg": b"down",
                                  b"down 2.jpg": b"down 2"}, at
        assert device.trash() == {b"gone.jpg": b"gone"} and library.wrong == []
        assert library.names() == ["down 2.jpg", "moved.jpg", "named.jpg", "up 2.jpg"]
        if not more:
            break
        at += 4


def test_killed_while_renaming_and_deleting(device, library):
    for i in range(10):
        device.put(f"{i}.jpg", b"photo %d" % i)
    device.sync()
    device.sync()
    photos = list(library.living())
    for i, photo in enumerate(photos[:3]):
        library.change(photo, name=f"new {i}.jpg")
    for photo in photos[3:6]:
        library.trash(photo)
    for name in list(device.files())[-2:]:
        path = device.folder / os.fsdecode(name)
        path.rename(path.with_name("moved " + path.name))
    for request in range(1, 8):
        kill_at(library, device, request)
    device.sync()
    device.sync()
    assert sorted(device.files().values()) == library.contents() and len(library.living()) == 7
    assert len(device.trash()) == 3 and len(library.objects) == 10


def test_a_file_that_somebody_still_writes_waits(device, library):
    path = device.put("a.jpg", b"the first half, ")
    with open(path, "ab") as writer:
        process = device.start()
        try:
            device.put("b.jpg", b"done")
            device.wait_for(process, library.living, "the other file was not sent")
            assert library.contents() == [b"done"]
            writer.write(b"and the second")
            writer.close()
            device.wait_for(process, lambda: len(library.living()) == 2, "it was never sent")
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert library.contents() == [b"done", b"the first half, and the second"]


def test_a_file_that_changes_while_it_is_sent_arrives_as_it_became(device, library):
    path = device.put("a.jpg", b"1" * (32 << 20))  # more than lies between the two of them
    changed = []

    def change():
        if not changed:
            changed.append(path)
            with open(path, "r+b") as file:
                file.write(b"2" * 1000)
                file.seek(31 << 20)
                file.write(b"2" * 1000)

    library.midway = change
    device.sync()
    assert changed and library.contents() == [path.read_bytes()]


def test_a_file_that_changes_while_its_photo_is_deleted_stays(device, library):
    path = device.put("a.jpg", b"before")
    device.sync()
    library.purge(next(iter(library.living())))

    def change(method, target):
        if target == "/v1/changes":
            path.write_bytes(b"edited in the last moment")
            library.fault = lambda method, target: None
        return None

    library.fault = change
    device.sync()
    assert device.files() == {b"a.jpg": b"edited in the last moment"} and device.trash() == {}
    assert library.contents() == [b"edited in the last moment"]


def test_unfinished_and_hidden_files_stay_here(device, library):
    for name in ["a.jpg.part", "b.crdownload", ".hidden.jpg", "c.jpg~", "d.tmp", ".cache/e.jpg"]:
        device.put(name, b"half of it")
    device.put("f.jpg", b"photo")
    device.sync()
    assert library.names() == ["f.jpg"]


WEIRD = ["Ünïcödé ☃.jpg", "two\nlines.jpg", "-rf", "--help.jpg", "a" * 251 + ".jpg", " .jpg ",
         "Twin.jpg", "twin.jpg", "'; DROP TABLE file;--.jpg", "100%s%n.jpg", "\x1b[2J.jpg"]


def test_names_of_any_kind_go_up_and_come_down(device, other, library):
    for i, name in enumerate(WEIRD):
        device.put(name, b"photo %d" % i)
    raw = os.path.join(os.fsencode(device.folder), b"not \xff utf-8.jpg")
    with open(raw, "wb") as file:
        file.write(b"raw")
    done = device.sync()
    assert "\x1b" not in done.err
    assert len(library.living()) == len(WEIRD) + 1
    other.sync()
    assert sorted(other.files().values()) == sorted(device.files().values())
    assert {b"Twin.jpg", b"twin.jpg", b"-rf"} <= set(other.files())
    library.requests.clear()
    device.sync()
    other.sync()
    assert library.count("POST", "/v1/uploads") == library.count("GET", ".*/original") == 0


@pytest.mark.parametrize("name", ["../../evil.jpg", "/etc/evil.jpg", "..", ".imagesync", "",
                                  "a/../../evil.jpg", ".bashrc", "x" * 4000 + ".jpg"])
def test_no_name_of_the_servers_leads_out_of_the_folder(device, library, tmp_path, name):
    before = {path for path in tmp_path.rglob("*") if ".imagesync" not in path.parts}
    library.add(name, b"evil")
    device.sync()
    (made,) = {path for path in tmp_path.rglob("*") if ".imagesync" not in path.parts
               and ".local" not in path.parts} - before
    assert made.parent == device.folder and made.read_bytes() == b"evil"
    assert not made.name.startswith(".")


def test_links_lead_nowhere(device, library, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.jpg").write_bytes(b"secret")
    (device.folder / "link.jpg").symlink_to(secret / "key.jpg")
    (device.folder / "folder").symlink_to(secret)
    (device.folder / "loop").symlink_to(".")
    os.mkfifo(device.folder / "pipe.jpg")
    device.put("a.jpg", b"photo")
    device.sync()
    assert library.contents() == [b"photo"]


def test_a_read_only_file_is_like_others(device, library):
    path = device.put("a.jpg", b"photo")
    path.chmod(0o400)
    device.sync()
    device.sync()
    library.trash(next(iter(library.living())))
    device.sync()
    assert device.files() == {} and device.trash() == {b"a.jpg": b"photo"}


def test_what_cannot_be_read_is_said_and_is_no_deletion(binary, clean_env, server, library):
    """As somebody who is not root, whom no mode keeps out."""
    home = Path(tempfile.mkdtemp())
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    try:
        device = Device(binary, clean_env, home, server.url)
        device.put("in/a.jpg", b"photo a")
        device.put("b.jpg", b"photo b")
        for path in [home, *home.rglob("*")]:
            if user:
                os.chown(path, 65534, 65534)
        try:
            device.sync(**user)
        except PermissionError:
            pytest.skip("the binary lies where nobody else can run it")
        locked = device.put("c.jpg", b"photo c")
        locked.chmod(0)
        (device.folder / "in").chmod(0)
        done = device.sync("--delete-to-trash", status=1, **user)
        assert "c.jpg: Permission denied" in done.err and "in: Permission denied" in done.err
        assert library.contents() == [b"photo a", b"photo b"]
        locked.chmod(0o600)
        (device.folder / "in").chmod(0o700)
        if user:
            os.chown(locked, 65534, 65534)
        device.sync("--delete-to-trash", **user)
        assert library.contents() == [b"photo a", b"photo b", b"photo c"]
    finally:
        shutil.rmtree(home)


def test_a_full_disk_is_said_and_waited_for(device, library):
    library.add("big.jpg", BIG)
    library.add("small.jpg", b"small")

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = device.sync(status=1, preexec_fn=small_disk)
    assert "the disk is full" in done.err
    assert b"big.jpg" not in device.files()
    device.sync()
    assert device.files() == {b"big.jpg": BIG, b"small.jpg": b"small"}


def test_changes_come_and_go_while_it_watches(device, library):
    process = device.start()
    try:
        device.put("one.jpg", b"one")
        device.wait_for(process, lambda: library.names() == ["one.jpg"], "one.jpg was not sent")
        (device.folder / "new" / "deeper").mkdir(parents=True)
        device.put("new/deeper/two.jpg", b"two")
        device.wait_for(process, lambda: len(library.living()) == 2, "two.jpg was not sent")
        theirs = library.add("three.jpg", b"three")
        device.wait_for(process, lambda: b"three.jpg" in device.files(), "three.jpg did not come")
        library.trash(theirs)
        device.wait_for(process, lambda: b"three.jpg" not in device.files(), "three.jpg stays")
        (device.folder / "one.jpg").rename(device.folder / "uno.jpg")
        device.wait_for(process, lambda: "uno.jpg" in library.names(), "the name was not sent")
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_the_lock_is_free_after_a_kill(device, library):
    process = device.start()
    device.put("a.jpg", b"photo")
    device.wait_for(process, library.living, "nothing was sent")
    process.kill()
    process.communicate()
    with open(device.folder / ".imagesync" / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    device.sync()


def test_a_stream_that_is_refused_is_no_error(device, library):
    library.streams = False
    process = device.start()
    try:
        device.put("a.jpg", b"photo")
        device.wait_for(process, library.living, "nothing was sent")
        # Long after it was first refused: of what others bring it hears all the same, if later.
        device.wait_for(process, lambda: library.count("GET", "/v1/changes/stream") >= 3, "no try")
        library.add("theirs.jpg", b"theirs")
        device.wait_for(process, lambda: b"theirs.jpg" in device.files(), "nothing came")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_what_was_left_out_by_a_mistake_in_the_command_line(device):
    def refused(*options):
        done = subprocess.run([device.binary, "sync", *options], env=device.env, timeout=60,
                              capture_output=True, check=False)
        return done.returncode, done.stderr.decode()

    assert refused()[0] == 2
    assert refused(str(device.folder), "--pull-only", "--push-only", "--server", device.url)[0] == 2
    assert refused(str(device.folder))[0] == 2
    status, text = refused(str(device.folder), "--server", "http://photos.example.com")
    assert status == 2 and "--plain-http" in text
    status, text = refused("/nowhere/at/all", "--server", device.url)
    assert status == 3 and "No such file" in text


def test_a_start_that_comes_to_nothing_does_not_forget_which_folder_it_was(device, library):
    device.put("a.jpg", b"photo")
    device.sync()
    device.sync(status=3, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert "0 sent" in device.sync().err and len(library.living()) == 1


LIMIT = "/proc/sys/user/max_inotify_instances"  # of the user namespace of who writes it


def test_what_cannot_be_watched_is_said_looked_through_and_watched_when_it_can(device, library):
    namespace = ["unshare", "--user", "--map-root-user"]
    limited = [*namespace, "sh", "-c", f'echo 0 > {LIMIT} && exec "$@"', "sh"]
    if subprocess.run([*limited, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no user namespace can be had")
    process = subprocess.Popen([*limited, *device.command()], env=device.env, stderr=subprocess.PIPE)
    try:
        said = process.stderr.readline().decode()
        assert "can be watched" in said and "raise fs.inotify.max_user_instances" in said
        assert process.stderr.readline().decode() == f"{device.folder} is in sync: Ctrl-C ends it\n"
        subprocess.run(["nsenter", "--user", "--preserve-credentials", f"--target={process.pid}", "sh",
                        "-c", f"echo 9 > {LIMIT}"], check=True)
        device.put("a.jpg", b"photo")  # which is found by looking, half a minute after the last time
        library.add("b.jpg", b"theirs")  # which makes it look at once
        device.wait_for(process, lambda: len(library.living()) == 2, "a.jpg was not seen")
        device.wait_for(process, lambda: b"b.jpg" in device.files(), "b.jpg did not come")
        since = time.monotonic()
        device.put("c.jpg", b"another")
        device.wait_for(process, lambda: len(library.living()) == 3, "c.jpg was not seen")
        assert time.monotonic() - since < 15, "it is still not watched"
    finally:
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
