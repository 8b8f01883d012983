# SPDX-License-Identifier: Apache-2.0
"""What a device is told of a library: changes in order, everything anew, who has come how far; and
that asking twice does once."""

import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from backends import rows, running
from people import Person, problem
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("changes"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


_counter = [0]


def uuid7():
    """As a device makes one."""
    _counter[0] += 1
    head = int(time.time() * 1000) << 80 | 7 << 76 | (_counter[0] & 0xfff) << 64
    return str(uuid.UUID(int=head | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def new_album(person, name="Spring", **more):
    headers = more.pop("headers", None)
    return person.call("POST", "/v1/albums", {"name": name, **more}, headers=headers)


def made(person, name="Spring", **more):
    reply = new_album(person, name, **more)
    assert reply.status_code == 201, reply.text
    return reply.json()


def rename(person, album, name, version=None, **headers):
    return person.call("PATCH", f"/v1/albums/{album['id']}", {"name": name}, headers={
        "If-Match": f'"{version or album["version"]}"', **headers})


def changes(person, since=0, **query):
    words = "&".join(f"{name}={value}" for name, value in {"since": since, **query}.items())
    return person.call("GET", f"/v1/changes?{words}")


def all_changes(person, since=0, limit=1000):
    """Page by page, as a device does."""
    found = []
    while True:
        page = changes(person, since, limit=limit)
        assert page.status_code == 200, page.text
        page = page.json()
        found += page["changes"]
        assert page["next"] >= since
        since = page["next"]
        if not page["more"]:
            return found, since


def page_of(person, since=0, **query):
    """One page, without its cursor, which says no more than `next` as long as nothing is restored."""
    page = changes(person, since, **query).json()
    assert re.fullmatch(rf"{page['next']}\.[0-9a-f]{{16}}", page.pop("cursor"))
    return page


def all_objects(person, limit=1000):
    found, after, seqs = [], "", set()
    while True:
        page = person.call("GET", f"/v1/objects?limit={limit}" + (f"&after={after}" if after else ""))
        assert page.status_code == 200, page.text
        page = page.json()
        found += page["objects"]
        seqs.add(page["seq"])
        after = page["next"]
        if after is None:
            (seq,) = seqs
            return found, seq


def test_albums_are_made_changed_and_removed(ada):
    reply = new_album(ada, "Été 2026")
    assert reply.status_code == 201 and reply.headers["ETag"] == '"1"'
    album = reply.json()
    assert album["kind"] == "album" and album["version"] == 1 and album["seq"] == 1
    assert album["state"]["name"] == "Été 2026" and album["state"]["created"] > 1.7e12
    path = f"/v1/albums/{album['id']}"
    assert ada.call("GET", path).json() == album

    second = rename(ada, album, "Summer")
    assert second.status_code == 200 and second.headers["ETag"] == '"2"'
    assert second.json()["state"] == {**album["state"], "name": "Summer"}
    assert second.json()["seq"] == 2
    # What changes nothing is no change.
    assert rename(ada, second.json(), "Summer").json() == second.json()
    assert ada.call("GET", "/v1/albums").json() == {"albums": [second.json()], "next": None}

    assert ada.call("DELETE", path).status_code == 204
    assert problem(ada.call("GET", path)) == (404, "not_found")
    assert problem(ada.call("DELETE", path)) == (404, "not_found")
    assert ada.call("GET", "/v1/albums").json()["albums"] == []


def test_changes_come_in_order_and_page_by_page(ada):
    assert page_of(ada) == {"changes": [], "next": 0, "more": False, "horizon": 0}
    albums = [made(ada, f"Album {i}") for i in range(7)]
    second = rename(ada, albums[0], "again").json()
    ada.call("DELETE", f"/v1/albums/{albums[1]['id']}")

    page = page_of(ada, limit=3)
    assert page == {"changes": albums[:3], "next": 3, "more": True, "horizon": 0}
    page = page_of(ada, 3, limit=4)
    assert page == {"changes": albums[3:7], "next": 7, "more": True, "horizon": 0}
    page = page_of(ada, 7, limit=1000)
    gone = page["changes"].pop()
    assert page == {"changes": [second], "next": 9, "more": False, "horizon": 0}
    assert gone == {"kind": "album", "id": albums[1]["id"], "version": 2, "seq": 9, "removed": True,
                    "changed": gone["changed"]}
    # Of several of one object in a page, the last.
    assert changes(ada).json()["changes"] == [*albums[2:], second, gone]
    for limit in (1, 2, 5):
        found, seq = all_changes(ada, limit=limit)
        assert seq == 9
        assert {change["id"]: change for change in found} == {
            change["id"]: change for change in [*albums[2:], second, gone]}


def test_a_cursor_that_the_log_does_not_have(ada):
    made(ada)
    reply = changes(ada, 2)
    assert problem(reply) == (410, "cursor_too_old") and reply.json()["horizon"] == 0
    for query in ("since=-1", "since=x", "since=9999999999999999999999", "since=1.5", "since=0.0123456789abcdeg", "since=0&since=1", "limit=0",
                  "limit=1001", "limit=-5", "since="):
        assert problem(ada.call("GET", "/v1/changes?" + query)) == (400, "invalid_field"), query


def test_everything_anew(ada):
    albums = {album["id"]: album for album in (made(ada, f"Album {i}") for i in range(12))}
    gone = list(albums)[5]
    ada.call("DELETE", f"/v1/albums/{gone}")
    albums.pop(gone)
    for limit in (1, 4, 11, 12, 1000):
        found, seq = all_objects(ada, limit)
        assert [each["id"] for each in found] == sorted(albums) and seq == 13
        assert {each["id"]: each for each in found} == albums
    # What happens meanwhile is among the changes from the first page's seq on.
    first = ada.call("GET", "/v1/objects?limit=4").json()
    late = made(ada, "late")
    rest = ada.call("GET", f"/v1/objects?limit=1000&after={first['next']}").json()
    assert rest["seq"] == first["seq"] == 13
    assert changes(ada, first["seq"]).json()["changes"] == [late]
    for after in ("x", "1.album", "1.album.x", "1..", "-1.album." + gone, "1.ALBUM." + gone, "1.a.b.c"):
        assert problem(ada.call("GET", f"/v1/objects?after={after}")) == (400, "invalid_field")


def test_nobody_sees_what_is_anothers(server, ada):
    album, eve = made(ada), Person(server)
    path = f"/v1/albums/{album['id']}"
    assert problem(eve.call("GET", path)) == (404, "not_found")
    assert problem(eve.call("DELETE", path)) == (404, "not_found")
    assert problem(rename(eve, album, "mine")) == (404, "not_found")
    assert changes(eve).json()["changes"] == [] and all_objects(eve) == ([], 0)
    assert eve.call("GET", "/v1/devices").json() == {"devices": []}
    assert ada.call("GET", path).json() == album


def test_a_stale_write_is_told_both_versions(ada):
    album = made(ada, "one")
    current = rename(ada, album, "two").json()
    stale = rename(ada, album, "three")
    assert problem(stale) == (409, "stale_version")
    assert stale.json()["current"] == current and stale.json()["sent"] == {"name": "three"}
    assert problem(ada.call("PATCH", f"/v1/albums/{album['id']}", {"name": "four"})) == (
        428, "version_required")
    for match in ("*", "x", '"0"', 'W/"2"', '"9999999999999999999"'):
        reply = ada.call("PATCH", f"/v1/albums/{album['id']}", {"name": "four"},
                         headers={"If-Match": match})
        assert problem(reply) == (409, "stale_version") and reply.json()["current"] == current
    stale = ada.call("DELETE", f"/v1/albums/{album['id']}", headers={"If-Match": '"1"'})
    assert problem(stale) == (409, "stale_version") and stale.json()["current"] == current
    assert ada.call("DELETE", f"/v1/albums/{album['id']}",
                    headers={"If-Match": '"2"'}).status_code == 204
    late = rename(ada, current, "five")
    assert problem(late) == (409, "stale_version") and late.json()["current"]["removed"] is True
    assert len(all_changes(ada)[0]) == 1


def test_a_devices_own_id(ada):
    mine = uuid7()
    album = made(ada, id=mine)
    assert album["id"] == mine
    assert problem(new_album(ada, id=mine)) == (409, "conflict")
    ada.call("DELETE", f"/v1/albums/{mine}")
    assert problem(new_album(ada, id=mine)) == (409, "conflict"), "a tombstone's id is taken"
    for wrong in ("x", "", str(uuid.uuid4()), mine + "0"):
        assert problem(new_album(ada, id=wrong)) == (400, "invalid_field")


@pytest.mark.parametrize("body", [
    {}, {"name": ""}, {"name": "   "}, {"name": "a\nb"}, {"name": "x" * 401}, {"name": 5},
    {"name": "x", "cover": 5}, {"name": "x", "cover": "x"}, {"name": "x", "more": 1},
    {"name": "x", "cover": "01890000-0000-7000-8000-000000000000"}, {"name": "x", "version": 7}])
def test_no_album_comes_of_nonsense(ada, body):
    assert problem(ada.call("POST", "/v1/albums", body)) == (400, "invalid_field")
    assert changes(ada).json()["changes"] == []


def test_asking_twice_does_once(ada):
    key = {"Idempotency-Key": uuid7()}
    first, again = new_album(ada, "one", headers=key), new_album(ada, "one", headers=key)
    assert (first.status_code, first.text, first.headers["ETag"]) == (
        again.status_code, again.text, again.headers["ETag"])
    assert problem(new_album(ada, "two", headers=key)) == (422, "mutation_id_reused")
    assert problem(rename(ada, first.json(), "one", **key)) == (422, "mutation_id_reused")

    album, key = first.json(), {"Idempotency-Key": uuid7()}
    renamed = rename(ada, album, "two", **key)
    rename(ada, renamed.json(), "three")
    # Answered as the first time, though it would be stale by now.
    assert rename(ada, album, "two", **key).text == renamed.text
    key = {"Idempotency-Key": uuid7()}
    path = f"/v1/albums/{album['id']}"
    assert [ada.call("DELETE", path, headers=key).status_code for _ in range(2)] == [204, 204]
    assert changes(ada).json()["next"] == 4
    # What was refused changed nothing, so it may be tried again.
    key = {"Idempotency-Key": uuid7()}
    assert problem(new_album(ada, "", headers=key)) == (400, "invalid_field")
    assert new_album(ada, "good", headers=key).status_code == 201
    assert problem(new_album(ada, headers={"Idempotency-Key": "mine"})) == (400, "invalid_field")


def test_asking_many_times_at_once_does_once(ada):
    key, ready = {"Idempotency-Key": uuid7()}, threading.Barrier(8)

    def ask(_):
        ready.wait()
        for _ in range(20):
            reply = new_album(ada, "one", headers=key)
            if reply.status_code != 503:  # busy: worth trying again
                return reply
        return reply

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(ask, range(8)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.text for reply in replies}) == 1
    assert len(all_changes(ada)[0]) == 1


def test_the_key_of_another_user_is_another_key(server, ada):
    key = {"Idempotency-Key": uuid7()}
    eve = Person(server)
    assert made(ada, "a", headers=key)["id"] != made(eve, "b", headers=key)["id"]


def test_devices_say_how_far_they_are(server, ada):
    for _ in range(3):
        made(ada)
    put = lambda person, **body: person.call("PUT", "/v1/devices/me/cursor", body)
    assert put(ada, seq=2, name="Ada's phone").status_code == 204
    other = Person.__new__(Person)
    other.__dict__.update(ada.__dict__)
    other.http = type(ada.http)()
    other.keep(ada.sign_in())
    assert put(other, seq=3).status_code == 204
    first, second = sorted(ada.call("GET", "/v1/devices").json()["devices"],
                           key=lambda device: device["seq"])
    assert first["name"] == "Ada's phone" and first["current"] is True and first["seq"] == 2
    assert "name" not in second and second["current"] is False and second["seq"] == 3
    assert put(ada, seq=3).status_code == 204  # and keeps its name
    names = {device.get("name"): device["seq"] for device in ada.call("GET", "/v1/devices").json()["devices"]}
    assert names == {"Ada's phone": 3, None: 3}
    for body in ({"seq": 4}, {"seq": -1}, {"seq": "1"}, {}, {"seq": 1, "name": "x" * 201}):
        assert problem(put(ada, **body)) == (400, "invalid_field")
    assert "phone" not in repr(rows(server, "SELECT name_sealed FROM sync_device"))


def test_answers_survive_a_server_that_is_killed(server, ada):
    """Killed amid many writes: what was answered is there once, and asking again says the same."""
    if not server.embedded:
        pytest.skip("one kind of server to kill is enough")
    keys = {uuid7(): f"Album {i}" for i in range(200)}
    answers = {}

    def ask(key):
        try:
            reply = new_album(ada, keys[key], headers={"Idempotency-Key": key})
        except OSError:
            return
        if reply.status_code == 201:
            answers[key] = reply.text

    with ThreadPoolExecutor(4) as threads:
        tasks = [threads.submit(ask, key) for key in keys]
        while len(answers) < 30:
            assert not all(task.done() for task in tasks)
            time.sleep(0.001)
        server.kill()
        for task in tasks:
            task.result()
    assert 30 <= len(answers) < len(keys), "killed amid them"
    before = dict(answers)
    server.start()
    for key in keys:
        ask(key)
    assert {key: answers[key] for key in before} == before
    found, seq = all_changes(ada)
    assert sorted(change["state"]["name"] for change in found) == sorted(keys.values())
    assert [change["seq"] for change in found] == list(range(1, 201)) and seq == 200
