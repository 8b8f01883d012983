# SPDX-License-Identifier: Apache-2.0
"""What a library holds is made again from its log, and is what it was; and what is old goes."""

import contextlib
import hashlib
import subprocess
import threading

import pytest

from backends import rows, running
from harness import BINARY, eventually
from library import change, listed, photo_of, picture, send, settled
from people import Person, problem
from test_accounts import CHEAP
from test_changes import all_objects, changes, made, rename

BACKENDS = ["embedded", "servers"]


@pytest.fixture
def server(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        yield server


def rebuild(server, *words):
    return subprocess.run([BINARY, "rebuild", *words, "--data", server.data],
                          env=server.environment, capture_output=True, text=True, timeout=120)


def blob(server, column, user_id):
    """How the two dialects write a condition on a user's id."""
    text = user_id.replace("-", "")
    return f"{column} = x'{text}'" if server.embedded else f"{column} = '\\x{text}'"


def library_of(person):
    """Some of everything, with a past."""
    albums = [made(person, f"Album {i}") for i in range(4)]
    for i in range(5):
        albums[0] = rename(person, albums[0], f"Again {i}").json()
    person.call("DELETE", f"/v1/albums/{albums[1]['id']}")
    photos = [send(person, picture(seed, (64, 48)), f"Strand {seed}.jpg", "image/x-none")[0]
              for seed in range(5)]
    for i, photo_id in enumerate(photos):
        while True:  # the server may look into the file just now
            reply = change(person, photo_of(person, photo_id), caption=f"Meer {i}", favourite=i == 2,
                           tags=["Sommer", f"t{i}"], albums=[albums[2]["id"]])
            if reply.status_code == 200:
                break
    person.call("DELETE", f"/v1/photos/{photos[4]}")
    reply = person.call("POST", "/v1/edits", {"photo": photos[0], "recipe": {"operations": []}})
    assert reply.status_code == 201, reply.text
    return albums, photos


QUERIES = ["", "?favourite=true", "?tag=Sommer", "?text=meer", "?text=strand", "?trashed=true",
           "?limit=2"]


def told(person):
    """Each answer of the interface, byte for byte."""
    paths = ["/v1/library", "/v1/albums", "/v1/objects", "/v1/objects?limit=2", "/v1/changes",
             *("/v1/photos" + query for query in QUERIES)]
    for each in all_objects(person)[0]:
        paths.append(f"/v1/{each['kind']}s/{each['id']}")
        if each["kind"] == "photo":
            paths += [f"/v1/photos/{each['id']}/edits"]
    answers = {path: person.call("GET", path) for path in paths}
    assert {reply.status_code for reply in answers.values()} == {200}, answers
    return {path: (reply.content, reply.headers.get("ETag")) for path, reply in answers.items()}


def settle(person):
    """Until nothing works on the photos any more, where somebody does."""
    eventually(lambda: all(each["state"]["status"] != "processing" for each in all_objects(person)[0]
                           if each["kind"] == "photo"), 3)


def test_it_is_what_it_was(server):
    ada, bob = Person(server), Person(server)
    library_of(ada)
    library_of(bob)
    settle(ada), settle(bob)
    before = told(ada), told(bob)

    # All that is wrong in the tables is gone afterwards; the server runs meanwhile.
    rows(server, "UPDATE sync_object SET version = version + 7, changed_us = 5")
    rows(server, "DELETE FROM sync_object WHERE kind = 'album'")
    for table in ("sync_photo", "sync_term", "sync_edit"):
        rows(server, f"DELETE FROM {table} WHERE {blob(server, 'user_id', ada.id)}")
    done = rebuild(server, "--user", ada.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{ada.id}: 9 objects from "), done.stdout
    assert told(ada) == before[0]
    assert bob.call("GET", "/v1/albums").json()["albums"] == [], "another's is left alone"

    done = rebuild(server, "--all")
    assert done.returncode == 0, done.stderr
    assert (told(ada), told(bob)) == before
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and sorted(lines) == lines
    assert rebuild(server, "--all", "--after", lines[0][:36]).stdout == lines[1] + "\n"


def test_writing_goes_on_meanwhile(server):
    ada = Person(server)
    library_of(ada)
    ending, failures = threading.Event(), []

    def write():
        n = 0
        while not ending.is_set():
            reply = ada.call("POST", "/v1/albums", {"name": f"Meanwhile {n}"})
            n += 1
            if reply.status_code not in (201, 503):
                failures.append(reply.text)
            if ada.call("GET", "/v1/photos?favourite=true").json()["photos"] == []:
                failures.append("the favourite was away")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            done = rebuild(server, "--user", ada.id)
            assert done.returncode == 0, done.stderr
    finally:
        ending.set()
        writer.join()
    assert not failures
    settle(ada)
    before = told(ada)
    assert rebuild(server, "--all").returncode == 0
    assert told(ada) == before


def test_what_does_not_open_keeps_nothing_else_from_being_made(server):
    ada = Person(server)
    albums, photos = library_of(ada)
    settle(ada)
    before = told(ada)
    broken = photo_of(ada, photos[3])
    spoilt = "x'00010203'" if server.embedded else "'\\x00010203'"
    rows(server, f"UPDATE event SET sealed = {spoilt} WHERE seq = {broken['seq']}")
    rows(server, "DELETE FROM sync_object")
    done = rebuild(server, "--user", ada.address)
    assert done.returncode == 1
    assert f"the photo {photos[3]} does not open" in done.stdout
    assert listed(ada) == [photo_id for photo_id in reversed(photos[:3])]
    after = {each["id"]: each for each in all_objects(ada)[0]}
    assert after[photos[3]]["unreadable"] is True and "state" not in after[photos[3]]
    assert "removed" not in after[photos[3]], "which would have devices remove it"
    path = f"/v1/albums/{albums[0]['id']}"
    assert (ada.call("GET", path).content, '"6"') == before[path]
    assert any(change.get("unreadable") for change in changes(ada).json()["changes"])


def check(server):
    return subprocess.run([BINARY, "check", "--data", server.data], env=server.environment,
                          capture_output=True, text=True, timeout=120)


def test_check_names_what_rebuild_mends(server):
    """Each table that the log comes to, changed behind the server's back in each way."""
    ada = Person(server)
    albums, photos = library_of(ada)
    settle(ada)
    before = told(ada)
    (edit,) = [each["id"] for each in all_objects(ada)[0] if each["kind"] == "edit"]
    is_ = lambda column, id: blob(server, column, id)
    no_one = "01890000-0000-7000-8000-00000000abcd"
    value = lambda id: blob(server, "", id).split("= ")[1]
    of_photo, me = is_("photo_id", photos[1]), value(ada.id)
    found = f"the photo {photos[1]} is not found as its state says"
    count = "counted, and there are"
    tampered = [
        (f"UPDATE sync_photo SET sort_us = sort_us + 1 WHERE {of_photo}", found),
        (f"UPDATE sync_photo SET shelf = 1, trashed_us = 5 WHERE {of_photo}", found),
        (f"DELETE FROM sync_photo WHERE {of_photo}", found),
        (f"INSERT INTO sync_photo (user_id, photo_id, shelf, sort_us, terms_hash) VALUES"
         f" ({me}, {value(no_one)}, 0, 1, {me})", f"the photo {no_one} is found, and is not there"),
        (f"UPDATE sync_term SET term = term + 1 WHERE {of_photo}", found),
        (f"UPDATE sync_term SET sort_us = 7 WHERE {of_photo}", found),
        (f"DELETE FROM sync_term WHERE {of_photo}", found),
        (f"INSERT INTO sync_term (user_id, term, sort_us, photo_id) VALUES"
         f" ({me}, 1, 1, {value(no_one)})", f"the photo {no_one} is found, and is not there"),
        ("DELETE FROM sync_edit", f"the edit {edit} is not found as its state says"),
        (f"UPDATE sync_edit SET photo_id = {value(no_one)}",
         f"the edit {edit} is not found as its state says"),
        (f"INSERT INTO sync_edit (user_id, photo_id, edit_id) VALUES ({me}, {value(photos[0])},"
         f" {value(no_one)})", f"the edit {no_one} is found, and is not there"),
        ("UPDATE sync_usage SET files = files - 1", count),
        ("UPDATE sync_usage SET bytes = bytes + 1", count),
        ("UPDATE sync_usage SET reserved = 5", count),
        ("DELETE FROM sync_usage", count),
        (f"UPDATE sync_object SET version = version + 7 WHERE {is_('object_id', photos[1])}",
         "is not what the log says"),
        (f"UPDATE sync_object SET seq = seq + 1000 WHERE {is_('object_id', photos[1])}",
         "of the objects 1 are not what the log comes to"),
        (f"DELETE FROM sync_object WHERE {is_('object_id', photos[1])}", "is missing"),
        (f"INSERT INTO sync_object SELECT user_id, kind, {value(no_one)}, version, 999, removed,"
         f" changed_us, state_sealed FROM sync_object WHERE {is_('object_id', photos[1])}",
         "of the objects 1 are not what the log comes to"),
    ]
    looked = check(server)
    assert looked.returncode == 0, looked.stdout
    for sql, text in tampered:
        rows(server, sql)
        looked = check(server)
        assert looked.returncode == 1 and text in looked.stdout, (sql, looked.stdout)
        done = rebuild(server, "--user", ada.id)
        assert done.returncode == 0, (sql, done.stdout, done.stderr)
        looked = check(server)
        assert looked.returncode == 0, (sql, looked.stdout)
    assert told(ada) == before

    # Of very many the first are named.
    rows(server, "DELETE FROM sync_term")
    for n in range(12):
        rows(server, f"INSERT INTO sync_edit (user_id, photo_id, edit_id) VALUES ({me},"
             f" {value(no_one)}, {value(no_one[:-2] + f'{n:02}')})")
    looked = check(server)
    assert "besides these, at least 5 objects" in looked.stdout, looked.stdout
    assert len(looked.stdout.splitlines()) == 12
    rebuild(server, "--all")
    assert check(server).returncode == 0 and told(ada) == before


def test_ended_midway_it_is_run_again(server):
    """With kill -9, anywhere; the server answers meanwhile, and devices write."""
    ada = Person(server)
    library_of(ada)
    for i in range(600):
        made(ada, f"Album {i}")
    settle(ada)
    rows(server, "UPDATE sync_object SET version = version + 7 WHERE kind = 'album'")
    rows(server, "DELETE FROM sync_term"), rows(server, "DELETE FROM sync_edit")
    for i in range(8):
        process = subprocess.Popen([BINARY, "rebuild", "--all", "--data", server.data],
                                   env=server.environment, stdout=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02 * (i + 1))
        process.kill()
        process.wait(60)
        made(ada, f"Between {i}")
        assert len(listed(ada)) == 4
    assert rebuild(server, "--all").returncode == 0
    looked = check(server)
    assert looked.returncode == 0, looked.stdout
    assert ada.call("GET", "/v1/photos?text=meer&favourite=true").json()["photos"]
    assert {album["version"] for album in ada.call("GET", "/v1/albums").json()["albums"]
            if album["state"]["name"].startswith(("Album", "Between"))} <= {1, 6}


def test_the_command_line_is_wrong(server):
    for words in ((), ("--user", "x"), ("--all", "--user", "a@example.com"),
                  ("--user", "a@example.com", "--after", "x"), ("--all", "--after", "x")):
        assert rebuild(server, *words).returncode == 2, words


def test_who_was_away_too_long_reads_everything_anew(server):
    """As if all that was done so far had been done a hundred days ago."""
    ada = Person(server)
    albums = [made(ada, f"Album {i}") for i in range(3)]
    albums[0] = rename(ada, albums[0], "again").json()
    ada.call("DELETE", f"/v1/albums/{albums[1]['id']}")
    ada.call("PUT", "/v1/devices/me/cursor", {"seq": 2})
    key = {"Idempotency-Key": "01890000-0000-7000-8000-000000000000"}
    first = made(ada, "asked once", headers=key)
    assert made(ada, "asked once", headers=key) == first
    then = 100 * 86400 * 1000000
    for table, column in (("event", "at_us"), ("sync_mutation", "created_us"),
                          ("sync_device", "seen_us"), ("sync_object", "changed_us")):
        rows(server, f"UPDATE {table} SET {column} = {column} - {then}")
    first = ada.call("GET", f"/v1/albums/{first['id']}").json()
    young = made(ada, "of today")
    young = rename(ada, young, "changed today").json()
    server.stop()
    server.start()

    assert eventually(lambda: changes(ada, 4).status_code == 410)
    assert eventually(lambda: ada.call("GET", "/v1/devices").json() == {"devices": []})
    reply = changes(ada, 4)
    assert problem(reply) == (410, "cursor_too_old")
    horizon = reply.json()["horizon"]
    assert horizon == 5 and ada.call("GET", "/v1/library").json()["horizon"] == 5
    assert problem(ada.call("GET", "/v1/changes/stream?since=4")) == (410, "cursor_too_old")

    objects, seq = all_objects(ada)
    names = {each["state"]["name"] for each in objects}
    assert names == {"again", "Album 2", "asked once", "changed today"} and seq == 8
    assert changes(ada, seq).json()["changes"] == []
    assert changes(ada, 5).json()["changes"] == [first, young]
    # It is forgotten that this was asked before.
    assert made(ada, "asked once", headers=key)["id"] != first["id"]
    # The log still comes to the same.
    before = told_albums(ada)
    assert rebuild(server, "--all").returncode == 0
    assert told_albums(ada) == before
    assert problem(ada.call("GET", f"/v1/albums/{albums[1]['id']}")) == (404, "not_found")


def told_albums(person):
    return [person.call("GET", path).content for path in ("/v1/albums", "/v1/objects", "/v1/library")]


def test_what_was_deleted_long_ago_does_not_come_back(server):
    """Also when its tombstone went with what is old: a folder that still has the file sends nothing."""
    ada = Person(server)
    content = picture(71, (64, 48))
    photo_id, _ = send(ada, content)
    settled(ada, photo_id)
    ada.call("DELETE", f"/v1/photos/{photo_id}")
    assert ada.call("DELETE", f"/v1/photos/{photo_id}?purge=1").ok
    then = 100 * 86400 * 1000000
    rows(server, f"UPDATE event SET at_us = at_us - {then}")
    server.stop()
    server.start()
    assert eventually(lambda: ada.call("GET", "/v1/library").json()["horizon"] > 0)

    asked = {"files": [{"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}]}
    (found,) = ada.call("POST", "/v1/uploads/check", asked).json()["files"]
    assert (found["status"], found["photo"]) == ("deleted", photo_id)
    # Who sends it nonetheless wants it: as a new photo.
    again, status = send(ada, content)
    assert status == "added" and again != photo_id
    assert ada.call("POST", "/v1/uploads/check", asked).json()["files"][0]["status"] == "known"
