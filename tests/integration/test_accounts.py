# SPDX-License-Identifier: Apache-2.0
"""Accounts over HTTP: opened by mail, signed in to, changed, and not to be taken from others."""

import base64
import hashlib
import hmac
import struct
import threading
import time
import uuid

import pytest
import requests

from backends import running
from harness import Server, eventually
from people import PASSWORD, Person, browser, mails, new_address, problem, token_in, wait_for_mail

# As cheap as they may be: these tests are not about hashing, and all come from one address.
CHEAP = {"password_ops": 1, "password_memory_mib": 8, "attempts_per_address": 100000}


# The same promises on SQLite with a cache of its own, and on PostgreSQL with Redis.
BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("accounts"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server, name="Ada", locale="en", zone="Europe/London")


def totp(secret, when=None):
    """RFC 6238, written here once more so that server and test do not share a mistake."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(when or time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def add_totp(person):
    asked = person.call("POST", "/v1/me/totp").json()
    secret = asked["secret"]
    assert asked["uri"].startswith("otpauth://totp/Image%20Sync:")
    assert person.address.split("@")[0] in asked["uri"] and secret in asked["uri"]
    # The step before now is accepted too, and leaves the present one for signing in. Once in a while
    # now has become the step after on the way.
    for _ in range(2):
        reply = person.call("PUT", "/v1/me/totp", {"secret": secret,
                                                   "code": totp(secret, time.time() - 30)})
        if reply.status_code == 200:
            break
    assert reply.status_code == 200, reply.text
    return secret, reply.json()["recovery_codes"]


# Registration

def test_registration_by_mail_opens_an_account(server, ada):
    me = ada.call("GET", "/v1/me").json()
    assert me["email"] == ada.address and me["name"] == "Ada" and me["zone"] == "Europe/London"
    assert me["role"] == "user" and me["status"] == "active" and me["totp"] is False
    assert abs(me["created"] - time.time()) < 60


def test_registration_link_works_once(server):
    address = new_address()
    requests.post(server.url + "/v1/registrations", json={"email": address}, timeout=30)
    token = token_in(wait_for_mail(server, address))
    body = {"token": token, "password": PASSWORD}
    first = requests.post(server.url + "/v1/registrations/complete", json=body, timeout=60)
    assert first.status_code == 201
    second = requests.post(server.url + "/v1/registrations/complete", json=body, timeout=60)
    assert problem(second) == (400, "invalid_token")


def test_registration_does_not_tell_who_has_an_account(server, ada):
    known, unknown = (requests.post(server.url + "/v1/registrations", json={"email": address},
                                    timeout=30) for address in (ada.address, new_address()))
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert "already have an account" in wait_for_mail(server, ada.address, 2)["Subject"]


def test_two_links_to_one_address_give_one_account(server):
    address = new_address()
    tokens = []
    for count in (1, 2):
        requests.post(server.url + "/v1/registrations", json={"email": address}, timeout=30)
        tokens.append(token_in(wait_for_mail(server, address, count)))
    replies = [requests.post(server.url + "/v1/registrations/complete", timeout=60,
                             json={"token": token, "password": PASSWORD}) for token in tokens]
    assert [reply.status_code for reply in replies] == [201, 400]


def test_registration_can_be_closed(tmp_path):
    server = Server(tmp_path / "closed", registration="no", **CHEAP)
    try:
        reply = requests.post(server.url + "/v1/registrations", json={"email": new_address()},
                              timeout=30)
        assert problem(reply) == (403, "forbidden")
    finally:
        server.stop()


@pytest.mark.parametrize("password, why", [
    ("short", "characters"), ("aaaaaaaaaaaaaaaa", "tried first"), ("password123", "tried first"),
    ("1234567890", "tried first"),
])
def test_weak_passwords_are_refused(server, password, why):
    address = new_address()
    requests.post(server.url + "/v1/registrations", json={"email": address}, timeout=30)
    token = token_in(wait_for_mail(server, address))
    reply = requests.post(server.url + "/v1/registrations/complete",
                          json={"token": token, "password": password}, timeout=60)
    assert problem(reply) == (400, "weak_password") and why in reply.json()["detail"]
    # The link is still good for a better one.
    reply = requests.post(server.url + "/v1/registrations/complete",
                          json={"token": token, "password": PASSWORD}, timeout=60)
    assert reply.status_code == 201


# Signing in

def test_sign_in_by_cookie(server, ada):
    http = browser(server)
    reply = http.post(server.url + "/v1/sessions", timeout=60, json={
        "email": "  " + ada.address.upper() + " ", "password": PASSWORD, "device": "Ada's phone"})
    assert reply.status_code == 201 and "token" not in reply.json()
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert reply.headers["Cache-Control"] == "no-store"
    assert http.get(server.url + "/v1/me", timeout=30).json()["id"] == ada.id
    assert http.delete(server.url + "/v1/sessions/current", timeout=30).status_code == 204
    assert problem(http.get(server.url + "/v1/me", timeout=30)) == (401, "signed_out")


def test_a_browser_has_one_session(server, ada):
    http, eve = browser(server), Person(server)

    def sign_in(person):
        reply = http.post(server.url + "/v1/sessions", timeout=60, json={
            "email": person.address, "password": PASSWORD, "device": "Browser"})
        assert reply.status_code == 201
        return reply.cookies["session"], reply.json()["session"]["id"]

    first, second = sign_in(ada), sign_in(ada)
    assert first[0] != second[0] and first[1] == second[1], "renewed"
    assert len(ada.call("GET", "/v1/sessions").json()["sessions"]) == 2  # and the bearer's
    old = requests.get(server.url + "/v1/me", cookies={"session": first[0]}, timeout=30)
    assert old.status_code == 401
    sign_in(eve)
    assert http.get(server.url + "/v1/me", timeout=30).json()["id"] == eve.id
    assert len(ada.call("GET", "/v1/sessions").json()["sessions"]) == 1
    old = requests.get(server.url + "/v1/me", cookies={"session": second[0]}, timeout=30)
    assert old.status_code == 401
    assert ada.call("GET", "/v1/me/audit").json()["entries"][0]["action"] == "session.removed"


def test_wrong_password_and_no_account_look_alike(server, ada):
    wrong = ada.sign_in("another password")
    nobody = requests.post(server.url + "/v1/sessions", timeout=60, json={
        "email": new_address(), "password": "another password", "cookie": False})
    assert problem(wrong) == problem(nobody) == (401, "wrong_credentials")
    first, second = ({key: value for key, value in reply.json().items() if key != "request_id"}
                     for reply in (wrong, nobody))
    assert first == second


def test_guessing_has_to_wait_longer_and_longer(server, ada):
    waits = []
    for _ in range(12):
        reply = ada.sign_in("wrong password")
        if reply.status_code == 429:
            waits.append(int(reply.headers["Retry-After"]))
    assert waits, "never told to wait"
    # The right password has to wait as well: the answer tells nothing.
    assert problem(ada.sign_in()) == (429, "too_many_attempts")
    # Others are not affected.
    assert Person(server).sign_in().status_code == 201


def test_forged_tokens_are_nobody(server, ada):
    token = ada.http.headers["Authorization"].removeprefix("Bearer ")
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    for forged in ("", "x", token[:-1], token + "A", flipped, "A" * len(token), "../" + token):
        reply = requests.get(server.url + "/v1/me", timeout=30,
                             headers={"Authorization": "Bearer " + forged})
        assert problem(reply) == (401, "signed_out"), forged


# Devices

def test_devices_are_listed_named_and_signed_out(server, ada):
    other = ada.sign_in(device="Laptop").json()
    sessions = ada.call("GET", "/v1/sessions").json()["sessions"]
    assert [one["current"] for one in sessions].count(True) == 1 and len(sessions) == 2
    (laptop,) = [one for one in sessions if one["id"] == other["session"]["id"]]
    assert laptop["name"] == "Laptop" and laptop["address"] == "127.0.0.1"
    assert laptop["methods"] == ["password"] and "python-requests" in laptop["agent"]

    assert ada.call("PATCH", f"/v1/sessions/{laptop['id']}", {"name": "Büro"}).status_code == 204
    names = [one["name"] for one in ada.call("GET", "/v1/sessions").json()["sessions"]]
    assert "Büro" in names

    headers = {"Authorization": "Bearer " + other["token"]}
    assert requests.get(server.url + "/v1/me", headers=headers, timeout=30).status_code == 200
    assert ada.call("DELETE", f"/v1/sessions/{laptop['id']}").status_code == 204
    assert requests.get(server.url + "/v1/me", headers=headers, timeout=30).status_code == 401
    assert ada.call("DELETE", f"/v1/sessions/{laptop['id']}").status_code == 404


def test_sign_out_everywhere(server, ada):
    tokens = [ada.sign_in().json()["token"] for _ in range(2)]
    assert ada.call("DELETE", "/v1/sessions?keep=current").status_code == 204
    assert ada.call("GET", "/v1/me").status_code == 200
    for token in tokens:
        assert requests.get(server.url + "/v1/me", timeout=30,
                            headers={"Authorization": "Bearer " + token}).status_code == 401
    assert ada.call("DELETE", "/v1/sessions").status_code == 204
    assert ada.call("GET", "/v1/me").status_code == 401


def test_nobody_ends_or_names_the_session_of_another(server, ada):
    eve = Person(server)
    session = ada.call("GET", "/v1/sessions").json()["sessions"][0]["id"]
    assert eve.call("DELETE", f"/v1/sessions/{session}").status_code == 404
    assert eve.call("PATCH", f"/v1/sessions/{session}", {"name": "mine"}).status_code == 404
    assert ada.call("GET", "/v1/me").status_code == 200


# One's own account

def test_profile_changes_with_the_version_that_was_read(server, ada):
    read = ada.call("GET", "/v1/me")
    changed = ada.call("PATCH", "/v1/me", {"name": "Augusta"}, headers={"If-Match": read.headers["ETag"]})
    assert changed.status_code == 200 and changed.json()["name"] == "Augusta"
    assert changed.json()["zone"] == "Europe/London", "what was not sent stays"
    stale = ada.call("PATCH", "/v1/me", {"name": "Eve"}, headers={"If-Match": read.headers["ETag"]})
    assert problem(stale) == (412, "stale_version")
    assert problem(ada.call("PATCH", "/v1/me", {"name": "Eve"})) == (428, "version_required")
    assert ada.call("GET", "/v1/me").json()["name"] == "Augusta"


@pytest.mark.parametrize("body", [
    {"role": "admin"}, {"email": "eve@example.com"}, {"status": "active"}, {"totp": False},
    {"name": "a\u202eb"}, {"name": "x" * 300}, {"name": 5}, {"zone": "../../etc/passwd"},
    {"locale": "de_CH;"}, ["name"],
])
def test_nothing_but_the_profile_can_be_set(server, ada, body):
    etag = ada.call("GET", "/v1/me").headers["ETag"]
    reply = ada.call("PATCH", "/v1/me", body, headers={"If-Match": etag})
    assert problem(reply) == (400, "invalid_field")
    assert ada.call("GET", "/v1/me").headers["ETag"] == etag


def test_password_change_signs_other_devices_out(server, ada):
    other = ada.sign_in().json()["token"]
    reply = ada.call("PUT", "/v1/me/password", {"password": "a wholly new password"})
    assert reply.status_code == 204
    assert ada.call("GET", "/v1/me").status_code == 200
    assert requests.get(server.url + "/v1/me", timeout=30,
                        headers={"Authorization": "Bearer " + other}).status_code == 401
    assert problem(ada.sign_in()) == (401, "wrong_credentials")
    assert ada.sign_in("a wholly new password").status_code == 201
    assert "password was changed" in wait_for_mail(server, ada.address, 2)["Subject"]


def test_password_reset(server, ada):
    reply = requests.post(server.url + "/v1/password-resets", json={"email": ada.address},
                          timeout=30)
    assert reply.status_code == 202
    token = token_in(wait_for_mail(server, ada.address, 2))
    body = {"token": token, "password": "one that I remember"}
    reply = requests.post(server.url + "/v1/password-resets/complete", json=body, timeout=60)
    assert reply.status_code == 204
    assert ada.call("GET", "/v1/me").status_code == 401, "old sessions are gone"
    assert ada.sign_in("one that I remember").status_code == 201
    reply = requests.post(server.url + "/v1/password-resets/complete", json=body, timeout=60)
    assert problem(reply) == (400, "invalid_token")


def test_a_link_is_of_one_kind(server, ada):
    requests.post(server.url + "/v1/password-resets", json={"email": ada.address}, timeout=30)
    token = token_in(wait_for_mail(server, ada.address, 2))
    reply = requests.post(server.url + "/v1/email-changes/complete", json={"token": token},
                          timeout=30)
    assert problem(reply) == (400, "invalid_token")


def test_change_of_address(server, ada):
    new = new_address()
    assert ada.call("POST", "/v1/me/email", {"email": new}).status_code == 202
    token = token_in(wait_for_mail(server, new))
    assert ada.call("GET", "/v1/me").json()["email"] == ada.address, "not before it is proved"
    reply = requests.post(server.url + "/v1/email-changes/complete", json={"token": token},
                          timeout=30)
    assert reply.status_code == 204
    assert ada.call("GET", "/v1/me").json()["email"] == new
    assert problem(ada.sign_in()) == (401, "wrong_credentials")
    assert ada.sign_in(email=new).status_code == 201
    assert "address was changed" in wait_for_mail(server, ada.address, 2)["Subject"]


def test_an_address_in_use_cannot_be_taken(server, ada):
    eve = Person(server)
    assert eve.call("POST", "/v1/me/email", {"email": ada.address}).status_code == 202
    assert "has an account already" in wait_for_mail(server, ada.address, 2)["Subject"]
    assert "token" not in mails(server, ada.address)[1].get_content()


# Second factor

def test_second_factor(server, ada):
    secret, _ = add_totp(ada)
    assert ada.call("GET", "/v1/me").json()["totp"] is True
    assert problem(ada.sign_in()) == (401, "second_factor_required")
    assert problem(ada.sign_in(code="000000")) == (401, "wrong_credentials")
    code = totp(secret)
    reply = ada.sign_in(code=code)
    assert reply.status_code == 201
    assert reply.json()["session"]["methods"] == ["password", "totp"]
    assert problem(ada.sign_in(code=code)) == (401, "wrong_credentials"), "used twice"


def test_recovery_codes_work_once(server, ada):
    _, codes = add_totp(ada)
    assert len(set(codes)) == 10
    reply = ada.sign_in(code=codes[0].lower().replace("-", " "))
    assert reply.status_code == 201 and "recovery_code" in reply.json()["session"]["methods"]
    assert problem(ada.sign_in(code=codes[0])) == (401, "wrong_credentials")
    assert ada.sign_in(code=codes[1]).status_code == 201


def test_second_factor_can_be_removed(server, ada):
    add_totp(ada)
    assert ada.call("DELETE", "/v1/me/totp").status_code == 204
    assert ada.sign_in().status_code == 201


def test_what_matters_wants_a_fresh_proof(tmp_path):
    server = Server(tmp_path / "fresh", fresh_minutes=1, **CHEAP)
    try:
        ada = Person(server)
        assert ada.call("POST", "/v1/sessions/proof", {"password": "wrong password"}).status_code == 401
        assert ada.call("POST", "/v1/sessions/proof", {"password": PASSWORD}).status_code == 204
        assert ada.call("POST", "/v1/me/totp").status_code == 200
    finally:
        server.stop()


# From elsewhere

def test_a_session_is_not_good_for_another_user(server, ada):
    """The user's id stands in the token: changing it must not change who one is."""
    bob = Person(server)
    token = ada.http.headers["Authorization"].removeprefix("Bearer ")
    assert ada.call("GET", "/v1/me").status_code == 200  # from here on the cache knows it
    raw = base64.urlsafe_b64decode(token + "==")
    forged = base64.urlsafe_b64encode(uuid.UUID(bob.id).bytes + raw[16:]).decode().rstrip("=")
    reply = requests.get(server.url + "/v1/me", timeout=30,
                         headers={"Authorization": "Bearer " + forged})
    assert problem(reply) == (401, "signed_out")
    assert ada.call("GET", "/v1/me").json()["id"] == ada.id


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {},
])
def test_other_sites_cannot_act_for_a_browser(server, ada, headers):
    http = requests.Session()
    http.post(server.url + "/v1/sessions", timeout=60,
              json={"email": ada.address, "password": PASSWORD})
    for method, path in (("POST", "/v1/me/totp"), ("DELETE", "/v1/sessions"),
                         ("PUT", "/v1/me/password"), ("POST", "/v1/sessions")):
        reply = http.request(method, server.url + path, json={}, headers=headers, timeout=30)
        assert problem(reply) == (403, "cross_site"), path
    assert http.get(server.url + "/v1/me", timeout=30).status_code == 200


def test_a_form_of_another_site_is_not_read(server, ada):
    reply = requests.post(server.url + "/v1/sessions", timeout=30,
                          data={"email": ada.address, "password": PASSWORD})
    assert problem(reply) == (400, "malformed_body")


HOSTILE = ["' OR 1=1 --", "\"; DROP TABLE user_account; --", "a\u0000b@example.com", "%00", "\\",
           "a@b.com\r\nBcc: eve@example.com", "\ud83d\ude00@example.com", "а@example.com"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_change_nothing(server, ada, text):
    for path in ("/v1/registrations", "/v1/password-resets"):
        reply = requests.post(server.url + path, json={"email": text}, timeout=30)
        assert reply.status_code == 400, reply.text
    reply = requests.post(server.url + "/v1/sessions", timeout=60,
                          json={"email": text, "password": text + " long enough"})
    assert reply.status_code in (400, 401), reply.text
    assert "SQL" not in reply.text and "sqlite" not in reply.text
    assert ada.call("GET", "/v1/me").status_code == 200


def test_megabyte_addresses_are_refused(server):
    reply = requests.post(server.url + "/v1/registrations", timeout=30,
                          json={"email": "a" * 1_000_000 + "@example.com"})
    assert reply.status_code == 413


# What is kept

def test_audit_trail_tells_what_happened(server, ada):
    ada.sign_in("wrong password")
    ada.sign_in()
    entries = ada.call("GET", "/v1/me/audit").json()["entries"]
    assert [entry["action"] for entry in entries] == ["session.created", "session.refused",
                                                      "account.created"]
    assert [entry["seq"] for entry in entries] == [3, 2, 1]
    assert all(entry["address"] == "127.0.0.1" for entry in entries)
    assert len(ada.call("GET", "/v1/me/audit?before=2").json()["entries"]) == 1


def test_nothing_about_a_person_is_readable_on_disk(server):
    if not server.embedded:
        pytest.skip("looks into SQLite's files")
    person = Person(server, name="Zebulon Quackenbush")
    token = person.http.headers["Authorization"].removeprefix("Bearer ")
    secret, codes = add_totp(person)
    server_files = [path for path in server.data.rglob("*")
                    if path.is_file() and not path.is_symlink() and "mail" not in path.parts
                    and "models" not in path.parts]
    assert any(path.suffix == ".db" for path in server_files)
    secrets = [person.address, "Zebulon", "Quackenbush", PASSWORD, token, secret,
               codes[0], codes[0].replace("-", ""), "$argon2id"]
    for path in server_files:
        content = path.read_bytes()
        for text in secrets:
            assert text.encode() not in content, f"{text} in {path.name}"
    log = server.log_text()
    assert not [text for text in secrets if text in log]


def test_accounts_and_sessions_outlive_a_restart(tmp_path):
    server = Server(tmp_path / "first", **CHEAP)
    try:
        person = Person(server)
        server.process.kill()
        server.process.wait()
        server.start()
        assert person.call("GET", "/v1/me").json()["id"] == person.id
        assert person.sign_in().status_code == 201
    finally:
        server.stop()


def test_a_flood_of_sign_ins_leaves_others_alone(server):
    """More sign-ins at once than hashes may run: the rest waits or is told to come back."""
    people = [Person(server) for _ in range(3)]
    results = []

    def hammer(person):
        for _ in range(10):
            results.append(person.sign_in().status_code)

    threads = [threading.Thread(target=hammer, args=(person,)) for person in people for _ in (1, 2)]
    for thread in threads:
        thread.start()
    slowest = 0
    while any(thread.is_alive() for thread in threads):
        begin = time.monotonic()
        assert requests.get(server.url + "/healthz", timeout=30).status_code == 200
        slowest = max(slowest, time.monotonic() - begin)
    for thread in threads:
        thread.join()
    assert set(results) <= {201, 429, 503} and 201 in results
    assert slowest < 2


def test_mail_is_counted(server):
    before = server.metric('imagesync_mails_total{result="sent"}')
    Person(server)
    assert eventually(lambda: server.metric('imagesync_mails_total{result="sent"}') > before)
