# SPDX-License-Identifier: Apache-2.0
"""API keys of users: made, limited, charged to their user's credits, and taken away."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from backends import rows, running, stored
from harness import BINARY, KEY, Server, encode, error, eventually, photo
from people import Person, problem

# As cheap as they may be: these tests are not about hashing, and all come from one address.
CHEAP = {"password_ops": 1, "password_memory_mib": 8, "attempts_per_address": 100000}


def operator(server, *words):
    """imagesync users ...: on the same database, while the server runs."""
    return subprocess.run([BINARY, "users", *map(str, words), "--data", server.data],
                          env=server.environment, capture_output=True, text=True, timeout=60)


def grant(server, person, amount):
    done = operator(server, "grant", person.address, amount)
    assert done.returncode == 0, done.stderr


def new_key(person, **body):
    reply = person.call("POST", "/v1/api-keys", {"name": "shop", **body})
    assert reply.status_code == 201, reply.text
    return reply.json()


BACKENDS = ["embedded", "split"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("api-keys"), megapixels_per_minute=0,
                 **CHEAP) as server:
        yield server


@pytest.fixture(scope="module")
def small():
    return encode(photo().resize((256, 256)))


@pytest.fixture
def ada(server):
    return Person(server)


@pytest.fixture
def admin(server):
    person = Person(server)
    assert operator(server, "role", person.address, "admin").returncode == 0
    return person


def test_a_key_is_shown_once_and_listed_by_its_hint(server, ada):
    made = new_key(ada, scope="images", expires=int(time.time()) + 3600)
    assert made["key"].startswith("isk_") and len(made["key"]) == 90
    assert made["key"].startswith(made["hint"]) and len(made["hint"]) == 16
    (listed,) = ada.call("GET", "/v1/api-keys").json()["keys"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert listed["used"] is None and listed["scope"] == "images" and listed["name"] == "shop"
    assert [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]][0] \
        == "api_key.created"


def test_a_key_is_charged_to_its_user_and_seen(server, ada, small):
    grant(server, ada, 2)
    key = new_key(ada)["key"]
    assert server.balance(key) == 2
    reply = server.removebg(small, key=key, size="full")
    assert reply.status_code == 200 and reply.headers["X-Credits-Charged"] == "1"
    assert server.balance(key) == 1
    account = server.get("/v1/account", key)
    assert account.json() == {"credits": {"available": 1.0, "subscription": 0}}
    assert server.post("/v1/segment", key, files={"image_file": small}).status_code == 200
    assert server.post("/v1/cutout", key, files={"image": small}).status_code == 402
    assert error(server.removebg(small, key=key)) == (402, "insufficient_credits")
    (listed,) = ada.call("GET", "/v1/api-keys").json()["keys"]
    assert abs(listed["used"] - time.time()) < 60
    assert server.balance(KEY) >= 1e9  # keys of the configuration keep working


def test_the_sandbox_costs_nothing(server, ada, small):
    key = new_key(ada)["key"]
    reply = server.post("/v1/segment", "sandbox_" + key, files={"image_file": small})
    assert reply.status_code == 200, reply.text


def test_parallel_calls_are_charged_exactly(server, ada, small):
    grant(server, ada, 5)
    key = new_key(ada)["key"]
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: server.removebg(small, key=key, size="full"), range(20)))
    assert sorted(reply.status_code for reply in replies) == [200] * 5 + [402] * 15
    assert server.balance(key) == 0


def test_failed_calls_are_free(server, ada, small):
    grant(server, ada, 1)
    key = new_key(ada)["key"]
    assert server.removebg(small[:300], key=key).status_code == 400
    assert server.removebg(small, key=key, size="huge").status_code == 400
    flat = encode(photo().resize((1, 1)).resize((300, 300)), "PNG")
    assert error(server.removebg(flat, key=key, size="full")) == (400, "unknown_foreground")
    assert server.balance(key) == 1


def refused_everywhere(server, key, small, code, photoroom=None):
    """403 in the shape of each API."""
    assert error(server.removebg(small, key=key)) == (403, code)
    reply = server.post("/v1/segment", key, files={"image_file": small})
    assert reply.status_code == 403 and reply.json()["status_code"] == 403 and reply.json()["type"]
    assert problem(server.post("/v1/cutout", key, files={"image": small})) == (403, code)


def test_a_revoked_key_is_refused_at_once(server, ada, small):
    grant(server, ada, 5)
    made = new_key(ada)
    assert server.removebg(small, key=made["key"]).status_code == 200
    assert ada.call("DELETE", "/v1/api-keys/" + made["id"]).status_code == 204
    refused_everywhere(server, made["key"], small, "auth_failed")
    assert server.get("/v1.0/account", made["key"]).status_code == 403
    assert problem(ada.call("DELETE", "/v1/api-keys/" + made["id"])) == (404, "not_found")


def test_an_expired_key_is_refused(server, ada, small):
    end = int(time.time()) + 2
    key = new_key(ada, expires=end)["key"]
    assert server.get("/v1.0/account", key).status_code == 200
    assert eventually(lambda: server.get("/v1.0/account", key).status_code == 403)
    assert time.time() >= end
    refused_everywhere(server, key, small, "auth_failed")


def test_a_key_does_only_what_it_is_for(server, ada, small):
    reads, cuts = (new_key(ada, scope=scope)["key"] for scope in ("account", "images"))
    assert server.get("/v1.0/account", reads).status_code == 200
    refused_everywhere(server, reads, small, "insufficient_scope")
    assert error(server.get("/v1.0/account", cuts)) == (403, "insufficient_scope")


def test_keys_of_others_are_not_there(server, ada, small):
    bob, made = Person(server), new_key(ada)
    assert problem(bob.call("DELETE", "/v1/api-keys/" + made["id"])) == (404, "not_found")
    assert bob.call("GET", "/v1/api-keys").json() == {"keys": []}
    assert server.get("/v1.0/account", made["key"]).status_code == 200
    wrong = made["key"][:-2] + ("AA" if made["key"][-2:] != "AA" else "BA")
    assert server.get("/v1.0/account", wrong).status_code == 403


@pytest.mark.parametrize("body", [
    {"name": ""}, {"name": "a\u202eb"}, {"name": "x", "scope": "everything"},
    {"name": "x", "expires": 5}, {"name": "x", "user_id": "y"}, {},
])
def test_wrong_bodies_are_refused(ada, body):
    assert problem(ada.call("POST", "/v1/api-keys", body)) == (400, "invalid_field")


def test_only_hashes_are_kept(server, ada, small):
    key = new_key(ada, name="Quackenbush shop")["key"]
    server.removebg(small, key=key)
    assert stored(server)
    for content in stored(server).values():
        assert key.encode() not in content and key[-43:].encode() not in content
        assert b"Quackenbush" not in content
    assert key not in server.log_text()


def test_admins_grant_and_lock(server, ada, admin, small):
    where = "/v1/admin/users"
    (found,) = admin.call("GET", where, params={"email": ada.address}).json()["users"]
    assert found["id"] == ada.id and found["credits"] == {"balance": 0.0, "available": 0.0}
    granted = admin.call("POST", f"{where}/{ada.id}/credits", {"amount": 2.5, "reason": "sorry"})
    assert granted.status_code == 200 and granted.json()["credits"]["available"] == 2.5
    less = admin.call("POST", f"{where}/{ada.id}/credits", {"amount": -3, "reason": "oops"})
    assert problem(less) == (409, "conflict")
    entry = ada.call("GET", "/v1/me/audit").json()["entries"][0]
    assert entry["action"] == "credits.granted"
    assert entry["subject"] == f"2.50 by {admin.id}: sorry" and "address" not in entry
    key = new_key(ada)["key"]
    assert server.balance(key) == 2.5
    locked = admin.call("PATCH", f"{where}/{ada.id}", {"status": "locked"})
    assert locked.status_code == 200 and locked.json()["status"] == "locked"
    assert problem(ada.call("GET", "/v1/me")) == (401, "signed_out")
    assert problem(ada.sign_in()) == (403, "account_locked")
    refused_everywhere(server, key, small, "auth_failed")
    assert admin.call("PATCH", f"{where}/{ada.id}", {"status": "active"}).status_code == 200
    assert ada.sign_in().status_code == 201
    assert server.balance(key) == 2.5


def test_users_are_no_admins_and_support_only_reads(server, ada, admin):
    where = f"/v1/admin/users/{ada.id}"
    assert problem(ada.call("GET", where)) == (403, "forbidden")
    helper = Person(server)
    assert operator(server, "role", helper.address, "support").returncode == 0
    assert helper.call("GET", where).json()["email"] == ada.address
    for method, path, body in (("PATCH", where, {"status": "locked"}),
                               ("POST", where + "/credits", {"amount": 1, "reason": "x"})):
        assert problem(helper.call(method, path, body)) == (403, "forbidden")
    assert problem(admin.call("PATCH", f"/v1/admin/users/{admin.id}",
                              {"status": "locked"})) == (409, "conflict")
    assert requests.get(server.url + where, timeout=30).status_code == 401


def test_the_operator_is_told_what_is_wrong(server, ada):
    assert operator(server, "grant", ada.address, "many").returncode == 2
    assert operator(server, "role", ada.address, "king").returncode == 2
    nobody = operator(server, "grant", "nobody@example.com", 1)
    assert nobody.returncode == 1 and "nobody@example.com" in nobody.stderr
    assert operator(server, "grant", ada.address, -1).returncode in (1, 2)


def test_welcome_credits(tmp_path):
    server = Server(tmp_path / "welcome", welcome_credits=3, **CHEAP)
    try:
        assert server.balance(new_key(Person(server))["key"]) == 3
    finally:
        server.stop()


def test_a_killed_server_charges_nothing_and_frees_what_it_held(tmp_path):
    server = Server(tmp_path / "killed", reservation_s=5, **CHEAP)
    try:
        ada = Person(server)
        grant(server, ada, 1)
        key = new_key(ada)["key"]
        large = encode(photo().resize((4000, 4000)), quality=70)
        thread = threading.Thread(target=lambda: pytest.raises(
            requests.RequestException, server.removebg, large, key=key, size="full"))
        thread.start()

        def reserved():
            return rows(server, "SELECT COUNT(*) FROM user_reservation") == [(1,)]

        assert eventually(reserved)
        server.kill()
        thread.join()
        server.start()
        assert server.balance(key) in (0, 1)
        assert eventually(lambda: server.balance(key) == 1)
        small = encode(photo().resize((256, 256)))
        assert server.removebg(small, key=key, size="full").status_code == 200
        assert rows(server, "SELECT balance, reserved FROM user_credit") == [(0, 0)]
        assert rows(server, "SELECT COUNT(*) FROM user_reservation") == [(0,)]
    finally:
        server.stop()
