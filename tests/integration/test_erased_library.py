# SPDX-License-Identifier: Apache-2.0
"""Erasing an account has the sync service erase the library first, wherever that runs, whatever
is killed meanwhile; and only then is there a receipt."""

import pytest
import requests

from backends import rows, running, tables
from harness import eventually
from library import picture, send, settled
from people import Person, mails, problem
from test_accounts import CHEAP
from test_changes import uuid7
from test_erasure import (
    ask, change, claims_of, erased_mail, execute, has_account, literal, receipt_in)
from test_split import service_token
from uploading import JPEG, created, patch

BACKENDS = ["embedded", "servers", "split"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("erased"), erasure_grace_days=0,
                 housekeeping_s=1, **CHEAP) as server:
        yield server


def with_library(server):
    """Somebody with something in each table of a library."""
    ada = Person(server)
    _, second = (settled(ada, send(ada, picture(seed), f"{seed}.jpg")[0])["id"]
                     for seed in (1, 2))
    album = ada.call("POST", "/v1/albums", {"name": "Sylt"},
                     headers={"Idempotency-Key": uuid7()})
    assert album.status_code == 201, album.text
    assert ada.call("POST", "/v1/edits", {"photo": second, "recipe": {"crop": 1}}).status_code == 201
    share = ada.call("POST", "/v1/shares", {"album": album.json()["id"]})
    assert share.status_code == 201, share.text
    ada.link = server.url + share.json()["path"]
    assert ada.call("PUT", "/v1/library", {"keep_places": True}).status_code < 300
    device = ada.call("PUT", "/v1/devices/me/cursor", {"seq": 1})
    assert device.status_code < 300, device.text
    assert patch(ada, created(ada, 1000), 0, JPEG).status_code == 204
    return ada


def left(server, person):
    """{table: how many rows}, of those that have any of that person."""
    found = {}
    for table, columns in tables().items():
        if "user_id" in columns:
            ((n,),) = rows(server, f"SELECT count(*) FROM {table} WHERE user_id = "
                                   + literal(server, person.id))
            if n > 0:
                found[table] = n
    return found


LIBRARY = {"sync_object", "sync_mutation", "sync_content", "sync_blob", "sync_upload", "sync_usage",
           "sync_photo", "sync_term", "sync_edit", "sync_share", "sync_library", "sync_device",
           "event", "event_head"}


def test_a_library_goes_with_its_owner_and_the_receipt_counts_it(server):
    ada, bob = with_library(server), with_library(server)
    before, of_bob = left(server, ada), left(server, bob)
    assert before.keys() >= LIBRARY, LIBRARY - before.keys()
    assert requests.get(ada.link, timeout=30).status_code == 200
    ask(ada)
    _, token = receipt_in(erased_mail(server, ada.address))
    counted = claims_of(token)["rows"]
    assert {table: counted[table] for table in LIBRARY} == {table: before[table] for table in LIBRARY}
    assert counted["user_key"] == 1 and counted["queue_job"] == 0
    assert left(server, ada) == {}
    assert requests.get(ada.link, timeout=30).status_code == 404
    assert left(server, bob) == of_bob
    assert requests.get(bob.link, timeout=30).status_code == 200


def fill(server, person, n):
    """So much that erasing it takes a while."""
    of = literal(server, person.id)
    execute(server, "INSERT INTO sync_term (user_id, term, sort_us, photo_id) WITH RECURSIVE"
                    f" numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {n})"
                    f" SELECT {of}, 1, i, {of} FROM numbers")


def terms(server, person):
    ((n,),) = rows(server, "SELECT count(*) FROM sync_term WHERE user_id = "
                           + literal(server, person.id))
    return n


def no_receipt(server, person):
    return (has_account(server, person)
            and not any(mail["Subject"] == "Your account is erased"
                        for mail in mails(server, person.address)))


def test_a_server_that_is_killed_amid_it_goes_on(backend, tmp_path):
    with running(backend, tmp_path, erasure_grace_days=0, housekeeping_s=1, **CHEAP) as server:
        ada = with_library(server)
        fill(server, ada, 100_000)
        all_of_it = terms(server, ada)
        ask(ada)
        assert eventually(lambda: terms(server, ada) < all_of_it)
        server.kill()
        assert 0 < terms(server, ada), "it was over before it was killed"
        assert no_receipt(server, ada)
        execute(server, "UPDATE user_chore SET until_us = 0, due_us = 0")
        server.start()
        erased_mail(server, ada.address)
        assert left(server, ada) == {}


def test_nobody_is_erased_while_the_sync_part_is_away(backend, tmp_path):
    if backend != "split":
        pytest.skip("it is in the same process")
    with running(backend, tmp_path, erasure_grace_days=0, housekeeping_s=1, **CHEAP) as server:
        ada, bob = with_library(server), Person(server)
        server.sync.kill()
        ask(ada)
        failed = 'imagesync_chores_total{chore="erasure",result="failed"}'
        assert eventually(lambda: server.user.metric(failed) >= 1)
        assert no_receipt(server, ada) and left(server, ada).keys() >= LIBRARY
        # It has begun: whoever comes now would find half of what there was.
        assert problem(ada.sign_in()) == (403, "account_locked")
        # Let in by an admin, too.
        change(server, ada, "UPDATE user_account SET status = 2")
        assert problem(ada.sign_in()) == (403, "account_locked")
        assert bob.sign_in().status_code == 201
        server.sync.start()
        execute(server, "UPDATE user_chore SET due_us = 0 WHERE until_us = 0")
        erased_mail(server, ada.address)
        assert left(server, ada) == {}


def test_nobody_is_erased_while_it_is_not_known_where_the_sync_part_is(backend, tmp_path):
    if backend != "split":
        pytest.skip("it is in the same process")
    with running(backend, tmp_path, erasure_grace_days=0, housekeeping_s=1, **CHEAP) as server:
        where = server.user.environment.pop("IMAGESYNC_SYNC_SERVICE")
        server.user.stop()
        server.user.start()
        ada = with_library(server)  # so that the sync part has asked for her key
        ask(ada)
        failed = 'imagesync_chores_total{chore="erasure",result="failed"}'
        assert eventually(lambda: server.user.metric(failed) >= 1)
        assert no_receipt(server, ada) and left(server, ada).keys() >= LIBRARY
        assert "--sync-service" in server.user.log_text()
        server.user.environment["IMAGESYNC_SYNC_SERVICE"] = where
        server.user.stop()
        server.user.start()
        execute(server, "UPDATE user_chore SET due_us = 0 WHERE until_us = 0")
        erased_mail(server, ada.address)
        assert left(server, ada) == {}


def test_the_sync_part_is_asked_again_without_harm(backend, server):
    if backend != "split":
        pytest.skip("one process has nothing internal")
    ada = with_library(server)

    def erase(**more):
        token = service_token(server.data / "service.key", caller="user", aud="sync")
        return requests.post(f"{server.sync.url}/internal/v1/library/erase", timeout=30,
                             json={"user_id": ada.id, **more},
                             headers={"Authorization": "Bearer " + token})

    first, again = erase().json(), erase().json()
    assert first["more"] is False and first["rows"]["sync_photo"] == 2
    assert again["more"] is False and set(again["rows"].values()) == {0}
    assert again["rows"].keys() == first["rows"].keys() >= LIBRARY
    assert erase(user_id="x").status_code == 400
    assert ada.call("GET", "/v1/me").status_code == 200
