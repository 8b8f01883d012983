# SPDX-License-Identifier: Apache-2.0
"""The photos of a library: described, found, thrown away and fetched back."""

import itertools
import uuid

import pytest

from backends import rows, running
from library import change, changed, download, listed, photo_of, picture, send, settled
from people import Person, problem
from stores import store_of
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]
_seeds = itertools.count(1000)


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("photos"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)


def new_photo(person, name="photo.jpg", **members):
    photo_id, status = send(person, picture(next(_seeds), (64, 48)), name)
    assert status == "added"
    photo = settled(person, photo_id)
    return changed(person, photo, **members) if members else photo


def edit_of(person, photo, recipe, **more):
    reply = person.call("POST", "/v1/edits", {"photo": photo["id"], "recipe": recipe, **more})
    assert reply.status_code == 201, reply.text
    return reply.json()


def test_a_photo_says_what_is_known_of_it(ada):
    photo = new_photo(ada, "Strand 1.jpg")
    state = photo["state"]
    assert (photo["kind"], state["name"], state["favourite"], state["tags"], state["albums"]) == (
        "photo", "Strand 1.jpg", False, [], [])
    assert state["size"] > 0 and abs(state["added"] - photo["changed"]) < 60000


def test_the_same_file_is_one_photo(ada):
    first = send(ada, picture(1))
    assert first[1] == "added"
    assert send(ada, picture(1), "other name.jpg") == (first[0], "known")
    assert listed(ada) == [first[0]]


def test_a_change_needs_the_version_and_a_stale_one_is_told_both(ada):
    photo = new_photo(ada)
    path = f"/v1/photos/{photo['id']}"
    assert problem(ada.call("PATCH", path, {"caption": "x"})) == (428, "version_required")
    photo = changed(ada, photo, caption="Erste")
    stale = change(ada, {**photo, "version": photo["version"] - 1}, caption="Zweite")
    assert problem(stale) == (409, "stale_version")
    assert stale.json()["current"] == photo and stale.json()["sent"] == {"caption": "Zweite"}
    assert photo_of(ada, photo["id"]) == photo


def test_a_change_that_changes_nothing_is_none(ada):
    photo = new_photo(ada, caption="A")
    assert changed(ada, photo, caption="A", favourite=False) == photo


def test_all_that_can_be_changed(ada):
    album = "0190163d-8694-739b-aea5-966c26f8ad90"
    photo = new_photo(ada)
    photo = changed(ada, photo, name="b.jpg", caption="Zwei\nZeilen",
                    favourite=True, tags=["Meer", "rot", "Meer"], albums=[album],
                    captured="2026-05-04T12:30:00", offset=120)
    state = photo["state"]
    assert [state[name] for name in ("name", "caption", "favourite", "tags", "albums", "captured",
                                     "offset")] == [
        "b.jpg", "Zwei\nZeilen", True, ["Meer", "rot"], [album], "2026-05-04T12:30:00", 120]
    state = changed(ada, photo, caption=None, captured=None, offset=None)["state"]
    assert not {"caption", "captured", "offset"} & set(state)


@pytest.mark.parametrize("members", [
    {"name": ""}, {"name": "a/b"}, {"name": ".."}, {"name": "x" * 256}, {"name": None},
    {"name": "a\u0007b"}, {"caption": "x" * 4001}, {"caption": 3}, {"favourite": "yes"},
    {"tags": "rot"}, {"tags": [""]}, {"tags": ["x" * 101]}, {"tags": ["t"] * 101},
    {"albums": ["x"]}, {"captured": "2026-02-30T00:00:00"}, {"captured": "2026-05-04"},
    {"captured": "2026-05-04T24:00:00"}, {"offset": 1081}, {"offset": 1.5}, {"edit": "x"},
    {"edit": "0190163d-8694-739b-aea5-966c26f8ad90"}, {"trashed": 1}, {"status": "ready"},
    {"blob": "0190163d-8694-739b-aea5-966c26f8ad90"}, {"unknown": 1}])
def test_what_no_photo_can_be_is_refused(ada, members):
    photo = new_photo(ada)
    reply = change(ada, photo, **members)
    assert problem(reply) == (400, "invalid_field")
    assert "detail" in reply.json()


def test_the_photos_of_others_are_not_there(ada, server):
    photo, eve = new_photo(ada), Person(server)
    edit = edit_of(ada, photo, {"a": 1})
    path = f"/v1/photos/{photo['id']}"
    for method, path, body in (
            ("GET", path, None), ("DELETE", path, None), ("DELETE", path + "?purge=1", None),
            ("PATCH", path, {"caption": "x"}), ("GET", path + "/edits", None),
            ("GET", path + "/similar", None), ("GET", f"/v1/edits/{edit['id']}", None),
            ("PUT", f"/v1/edits/{edit['id']}", {"recipe": {}}),
            ("DELETE", f"/v1/edits/{edit['id']}", None)):
        reply = eve.call(method, path, body, headers={"If-Match": f'"{photo["version"]}"'})
        assert problem(reply) == (404, "not_found"), (method, path)
    assert problem(eve.call("POST", "/v1/edits", {"photo": photo["id"], "recipe": {}})) == (
        400, "invalid_field")
    assert listed(eve) == []
    assert photo_of(ada, photo["id"])["state"].get("trashed") is None


def test_the_newest_come_first_by_when_they_were_taken(ada):
    times = ["2020-01-01T00:00:00", "1999-12-31T23:59:59", "2026-05-04T12:30:00"]
    ids = {at: new_photo(ada, captured=at)["id"] for at in times}
    now = new_photo(ada)["id"]
    assert listed(ada) == [now, *(ids[at] for at in sorted(times, reverse=True))]
    assert listed(ada, limit=1) == listed(ada)
    # 12:30 in Berlin is before 11:00 in London.
    london = new_photo(ada, captured="2026-05-04T11:00:00", offset=60)
    berlin = new_photo(ada, captured="2026-05-04T11:30:00", offset=120)
    assert listed(ada, **{"from": "2026-05-04T10:00:00", "to": "2026-05-04T11:59:59"}) == [
        london["id"], berlin["id"]]


def test_dates_are_those_of_the_place(ada):
    late = new_photo(ada, captured="2026-05-04T23:30:00", offset=-480)["id"]
    early = new_photo(ada, captured="2026-05-05T00:30:00", offset=720)["id"]
    assert listed(ada, **{"from": "2026-05-04", "to": "2026-05-04"}) == [late]
    assert listed(ada, **{"from": "2026-05-05", "to": "2026-05-05"}) == [early]
    assert listed(ada, to="2026-05-03") == []


def test_photos_are_found_by_words_without_accents_and_case(ada):
    photo = new_photo(ada, "IMG_2041.jpg", caption="Frühstück am Zürichsee", tags=["Straße"])["id"]
    new_photo(ada, "other.jpg", caption="Abend")
    for text in ("frühstück", "FRUHSTUCK", "fruh", "zu fr", "strasse", "2041", "img", "im 2041 am",
                 "frühstück am zürichsee strasse img 2041 jpg"):
        assert listed(ada, text=text) == [photo], text
    for text in ("stück", "frühstücks", "zürich abend", "f", "!!", "jpgx"):
        assert listed(ada, text=text) == [], text
    assert len(listed(ada, text="jpg")) == 2


def test_a_word_that_is_gone_finds_nothing(ada):
    photo = new_photo(ada, caption="Apfel")
    assert listed(ada, text="apfel") == [photo["id"]]
    photo = changed(ada, photo, caption="Birne")
    assert listed(ada, text="apfel") == [] and listed(ada, text="birne") == [photo["id"]]


def test_filters_go_together(ada):
    album = "0190163d-8694-739b-aea5-966c26f8ad91"
    both = new_photo(ada, tags=["Rot und Blau"], albums=[album], favourite=True)["id"]
    tag = new_photo(ada, tags=["rot und blau"])["id"]
    new_photo(ada, tags=["rot"])
    assert listed(ada, tag="Rot und blau") == [tag, both]
    assert listed(ada, tag="rot und blau", favourite="true") == [both]
    assert listed(ada, album=album, tag="rot und blau", favourite="true", text="rot bl") == [both]
    assert listed(ada, album=album, tag="rot") == []
    assert listed(ada, camera="Canon") == []


def put_others(server, like, first, odd):
    """6,000 more that are found by what finds that photo, from that time on; they are never opened."""
    # Sixteen bytes, with version and variant where they belong.
    number = "CAST(printf('000000pé%07d', 2 * i + {}) AS BLOB)" if server.embedded else (
        "convert_to('000000pé' || lpad((2 * i + {})::text, 7, '0'), 'UTF8')")
    photo = like["id"].replace("-", "")
    photo = f"x'{photo}'" if server.embedded else f"'\\x{photo}'::bytea"
    rows(server, "INSERT INTO sync_term WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
         f" SELECT t.user_id, t.term, {first} + 2 * i + {odd}, {number.format(odd)} FROM sync_term t CROSS JOIN n"
         f" WHERE t.photo_id = {photo}")


def test_filters_that_have_little_in_common(ada, server):
    """A page ends before it has walked all that have the one and not the other, and says that there is more."""
    old, new = (new_photo(ada, tags=["meer"], caption="berge", captured=f"{year}-01-01T12:00:00")["id"]
                for year in (2001, 2020))
    for odd, members in enumerate([{"tags": ["meer"]}, {"caption": "berge"}]):
        put_others(server, new_photo(ada, **members), 1_100_000_000_000_000, odd)
    first = ada.call("GET", "/v1/photos?tag=meer&text=berge").json()
    assert [photo["id"] for photo in first["photos"]] == [new] and first["next"]
    assert listed(ada, tag="meer", text="berge") == [new, old]
    assert listed(ada, tag="meer", text="berge", limit=1) == [new, old]
    assert listed(ada, tag="meer", text="berge", to="2002-01-01") == [old]


@pytest.mark.parametrize("query", [
    {"limit": 0}, {"limit": 501}, {"limit": "x"}, {"after": "x"}, {"after": "1_x"},
    {"favourite": "yes"}, {"trashed": "1"}, {"album": "x"}, {"from": "yesterday"},
    {"to": "2026-13-01"}, {"text": "x" * 1001}])
def test_a_list_that_cannot_be_is_refused(ada, query):
    assert problem(ada.call("GET", "/v1/photos", params=query)) == (400, "invalid_field")


def test_the_trash(ada):
    photo, other = new_photo(ada, caption="Apfel"), new_photo(ada)
    path = f"/v1/photos/{photo['id']}"
    assert problem(ada.call("DELETE", path + "?purge=1")) == (409, "conflict")
    trashed = ada.call("DELETE", path).json()
    assert trashed["state"]["trashed"] == trashed["changed"]
    assert listed(ada) == [other["id"]] and listed(ada, trashed="true") == [photo["id"]]
    assert listed(ada, text="apfel") == []
    assert listed(ada, text="apfel", trashed="true") == [photo["id"]]
    back = changed(ada, photo_of(ada, photo["id"]), trashed=False)
    assert "trashed" not in back["state"] and listed(ada, text="apfel") == [photo["id"]]
    assert changed(ada, back, trashed=True)["state"]["trashed"]
    removed = ada.call("DELETE", path + "?purge=1").json()
    assert removed["removed"] is True and removed["id"] == photo["id"] and "state" not in removed
    assert problem(ada.call("GET", path)) == (404, "not_found")
    assert listed(ada, trashed="true") == []


def test_what_was_removed_for_good_can_be_sent_again(ada):
    content = picture(77)
    photo_id, _ = send(ada, content)
    ada.call("DELETE", f"/v1/photos/{photo_id}")
    assert send(ada, content) == (photo_id, "restored")
    ada.call("DELETE", f"/v1/photos/{photo_id}")
    ada.call("DELETE", f"/v1/photos/{photo_id}?purge=1")
    again, status = send(ada, content)
    assert status == "added" and again != photo_id
    assert send(ada, content) == (again, "known")


def test_edits_are_kept_with_their_photo(ada):
    photo = new_photo(ada)
    mine = "0190163d-8694-739b-aea5-966c26f8ad92"
    first = edit_of(ada, photo, {"steps": [{"crop": [0, 0, 0.5, 1]}]}, id=mine)
    second = edit_of(ada, photo, {"steps": []})
    assert (first["id"], first["kind"], first["version"]) == (mine, "edit", 1)
    assert first["state"]["recipe"] == {"steps": [{"crop": [0, 0, 0.5, 1]}]}
    assert ada.call("GET", f"/v1/photos/{photo['id']}/edits").json()["edits"] == [first, second]
    assert ada.call("GET", f"/v1/edits/{mine}").json() == first
    again = ada.call("POST", "/v1/edits", {"id": mine, "photo": photo["id"], "recipe": {}})
    assert problem(again) == (409, "conflict")
    assert changed(ada, photo, edit=mine)["state"]["edit"] == mine
    other = new_photo(ada)
    assert problem(change(ada, other, edit=mine)) == (400, "invalid_field")
    removed = ada.call("DELETE", f"/v1/edits/{mine}").json()
    assert removed["removed"] is True
    assert ada.call("GET", f"/v1/photos/{photo['id']}/edits").json()["edits"] == [second]
    ada.call("DELETE", f"/v1/photos/{photo['id']}")
    ada.call("DELETE", f"/v1/photos/{photo['id']}?purge=1")
    assert problem(ada.call("GET", f"/v1/edits/{second['id']}")) == (404, "not_found")


def put(person, edit, recipe):
    return person.call("PUT", f"/v1/edits/{edit['id']}", {"recipe": recipe},
                       headers={"If-Match": f'"{edit["version"]}"'})


def test_two_devices_that_changed_one_edit_both_keep_theirs(ada):
    photo = new_photo(ada)
    edit = edit_of(ada, photo, {"v": 0})
    won, lost = put(ada, edit, {"v": 1}), put(ada, edit, {"v": 2})
    assert (won.status_code, lost.status_code) == (200, 201)
    assert won.json()["version"] == 2
    diverged = lost.json()
    assert diverged["id"] != edit["id"] and diverged["version"] == 1
    assert diverged["state"]["recipe"] == {"v": 2}
    assert diverged["state"]["diverged_from"] == edit["id"]
    edits = ada.call("GET", f"/v1/photos/{photo['id']}/edits").json()["edits"]
    assert edits == [won.json(), diverged]
    # The same thing again, which nobody has to tell apart.
    assert put(ada, edit, {"v": 1}).json() == won.json()


@pytest.mark.parametrize("body", [
    {}, {"recipe": {}}, {"photo": "x", "recipe": {}}, {"recipe": []}, {"id": "x", "recipe": {}},
    {"recipe": {"long": "x" * 65536}}, {"recipe": {}, "more": 1}])
def test_what_is_no_edit_is_refused(ada, body):
    photo = new_photo(ada)
    if body not in ({}, {"recipe": {}}):
        body = {"photo": photo["id"], **body}
    assert problem(ada.call("POST", "/v1/edits", body)) == (400, "invalid_field")


def test_a_repeated_request_is_answered_as_the_first_time(ada):
    photo = new_photo(ada)
    headers = {"Idempotency-Key": "0190163d-8694-739b-aea5-966c26f8ad93",
               "If-Match": f'"{photo["version"]}"'}
    path = f"/v1/photos/{photo['id']}"
    first = ada.call("PATCH", path, {"caption": "A"}, headers=headers)
    again = ada.call("PATCH", path, {"caption": "A"}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()


def test_the_original_comes_back_as_it_was(ada, server):
    content = picture(78, (3000, 2000), quality=97)
    assert len(content) > 1 << 18
    photo_id, _ = send(ada, content, "Größe 1.jpg")
    path = f"/v1/photos/{photo_id}/original"
    reply = download(ada, path)
    assert (reply.status_code, reply.content) == (200, content)
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.headers["Content-Disposition"] == (
        'inline; filename="Gr__e 1.jpg"; filename*=UTF-8\'\'Gr%C3%B6%C3%9Fe%201.jpg')
    assert reply.headers["Cache-Control"].startswith("private")
    etag = reply.headers["ETag"]
    assert download(ada, path, **{"If-None-Match": etag}).status_code == 304
    for asked, first, last in (("0-0", 0, 0), ("5-", 5, len(content) - 1),
                               ("-7", len(content) - 7, len(content) - 1),
                               ("65530-65550", 65530, 65550), ("100-299999", 100, 299999)):
        part = download(ada, path, Range=f"bytes={asked}")
        last = min(last, len(content) - 1)
        assert part.status_code == 206 and part.content == content[first:last + 1], asked
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
    beyond = download(ada, path, Range=f"bytes={len(content)}-")
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(content)}"
    assert download(ada, path, Range="bytes=0-0", **{"If-Range": '"other"'}).content == content
    head = ada.http.head(server.url + path, timeout=60)
    assert (head.headers["Content-Length"], head.content) == (str(len(content)), b"")
    assert problem(download(Person(server), path)) == (404, "not_found")
    assert problem(download(ada, f"/v1/photos/{uuid.UUID(int=7)}/original")) == (404, "not_found")


def test_the_files_of_a_photo_that_was_removed_are_gone(backend, tmp_path):
    """With a server of its own, where nobody else's photos come meanwhile."""
    with running(backend, tmp_path, **CHEAP) as server:
        ada, store = Person(server), store_of(server)
        before = set(store.sizes())
        photo_id = new_photo(ada)["id"]
        assert set(store.sizes()) > before
        ada.call("DELETE", f"/v1/photos/{photo_id}")
        assert download(ada, f"/v1/photos/{photo_id}/original").status_code == 200
        ada.call("DELETE", f"/v1/photos/{photo_id}?purge=1")
        assert download(ada, f"/v1/photos/{photo_id}/original").status_code == 404
        assert set(store.sizes()) <= before


def test_a_key_that_threw_a_photo_away_does_not_remove_it_for_good(ada):
    photo_id = new_photo(ada)["id"]
    key = {"Idempotency-Key": "0190163d-8694-739b-aea5-966c26f8ad95"}
    path = f"/v1/photos/{photo_id}"
    assert ada.call("DELETE", path, headers=key).ok
    assert problem(ada.call("DELETE", f"{path}?purge=1", headers=key)) == (422, "mutation_id_reused")
    assert photo_of(ada, photo_id)["state"]["trashed"]
