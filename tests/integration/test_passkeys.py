# SPDX-License-Identifier: Apache-2.0
"""Passkeys over HTTP: added, signed in with, and nothing else signed in with."""

import base64
import os
import signal
import sqlite3
import threading
import time

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator

from authenticator import EDDSA, ES256, RS256, UP, UV, Passkey, b64, unb64
from backends import running, servers
from harness import ROOT, Server, eventually
from people import PASSWORD, Person, browser, mails, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP, add_totp

BACKENDS = ["embedded", "servers"]
REFUSED = (401, "passkey_refused")


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("passkeys"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server, name="Ada")


def creation_options(person):
    reply = person.call("POST", "/v1/me/passkeys/options")
    assert reply.status_code == 200, reply.text
    return reply.json()["publicKey"]


def try_add(person, passkey, options=None, name="Phone", **how):
    credential = passkey.create(options or creation_options(person), person.server.url, **how)
    return person.call("POST", "/v1/me/passkeys", {"name": name, "credential": credential})


def add(person, passkey=None, **how):
    passkey = passkey or Passkey()
    reply = try_add(person, passkey, **how)
    assert reply.status_code == 201, reply.text
    return passkey


def challenge(server):
    reply = requests.post(server.url + "/v1/passkey-challenges", timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()["publicKey"]


def send(server, credential, **more):
    return requests.post(server.url + "/v1/sessions/passkey", timeout=60,
                         json={"credential": credential, "cookie": False, **more})


def sign_in(server, passkey, options=None, **how):
    return send(server, passkey.get(options or challenge(server), server.url, **how))


def actions(person):
    return [entry["action"] for entry in person.call("GET", "/v1/me/audit").json()["entries"]]


def passkeys(person):
    return person.call("GET", "/v1/me/passkeys").json()["passkeys"]


# Adding

def test_options_ask_for_what_is_verified(server, ada):
    options = creation_options(ada)
    assert options["rp"]["id"] == "127.0.0.1" and options["attestation"] == "none"
    assert unb64(options["user"]["id"]).hex() == ada.id.replace("-", "")
    assert options["user"]["name"] == ada.address and options["user"]["displayName"] == "Ada"
    assert {row["alg"] for row in options["pubKeyCredParams"]} == {ES256, EDDSA, RS256}
    chosen = options["authenticatorSelection"]
    assert chosen["residentKey"] == "required" and chosen["userVerification"] == "required"
    assert len(unb64(options["challenge"])) >= 16
    assert options["challenge"] != creation_options(ada)["challenge"]


@pytest.mark.parametrize("alg", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_a_passkey_signs_in_alone(server, ada, alg, fmt):
    passkey = add(ada, Passkey(alg), fmt=fmt)
    reply = sign_in(server, passkey)
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert body["user"]["id"] == ada.id and body["session"]["methods"] == ["passkey"]
    me = requests.get(server.url + "/v1/me", timeout=30,
                      headers={"Authorization": "Bearer " + body["token"]})
    assert me.json()["email"] == ada.address


def test_a_passkey_stands_for_two_factors(server, ada):
    add_totp(ada)
    passkey = add(ada)
    assert problem(ada.sign_in()) == (401, "second_factor_required")
    assert sign_in(server, passkey).status_code == 201


def test_a_password_is_still_enough_beside_a_passkey(server, ada):
    add(ada)
    assert ada.sign_in().status_code == 201


def test_adding_is_told_by_mail_and_audited(server, ada):
    add(ada, name="Key ring")
    assert actions(ada)[0] == "passkey.added"
    (shown,) = passkeys(ada)
    assert shown["name"] == "Key ring" and abs(shown["created"] - time.time()) < 60
    assert "used" not in shown
    assert eventually(lambda: any("passkey was added" in mail["Subject"]
                                  for mail in mails(server, ada.address)))


def test_a_cookie_is_given_to_browsers(server, ada):
    passkey = add(ada)
    reply = requests.post(server.url + "/v1/sessions/passkey", timeout=60,
                          json={"credential": passkey.get(challenge(server), server.url)})
    assert reply.status_code == 201 and "token" not in reply.json()
    assert "HttpOnly" in reply.headers["Set-Cookie"]
    assert problem(requests.post(
        server.url + "/v1/sessions/passkey", timeout=60, headers={"Origin": "https://evil.example"},
        json={"credential": passkey.get(challenge(server), server.url)})) == (403, "cross_site")


def test_a_browser_that_comes_again_keeps_one_session(server, ada):
    passkey, http = add(ada), browser(server)
    for _ in range(2):
        reply = http.post(server.url + "/v1/sessions/passkey", timeout=60,
                             json={"credential": passkey.get(challenge(server), server.url)})
        assert reply.status_code == 201
    assert len(http.get(server.url + "/v1/sessions", timeout=30).json()["sessions"]) == 2


def test_the_same_passkey_is_there_once_and_told_to_browsers(server, ada):
    passkey = add(ada)
    options = creation_options(ada)
    assert [row["id"] for row in options["excludeCredentials"]] == [b64(passkey.id)]
    assert problem(try_add(ada, passkey, options)) == (409, "conflict")


def test_two_people_may_have_the_same_credential_id(server, ada):
    passkey = add(ada)
    bob = Person(server)
    twin = Passkey()
    twin.id = passkey.id
    add(bob, twin)
    assert sign_in(server, passkey).json()["user"]["id"] == ada.id
    assert sign_in(server, twin).json()["user"]["id"] == bob.id
    assert problem(sign_in(server, passkey, user=twin.user)) == REFUSED


def test_there_is_an_end_to_how_many(server, ada):
    for _ in range(20):
        add(ada)
    assert problem(try_add(ada, Passkey())) == (409, "conflict")
    assert len(passkeys(ada)) == 20


def test_adding_wants_a_session_and_a_fresh_proof(server, ada):
    options = creation_options(ada)
    credential = Passkey().create(options, server.url)
    assert problem(requests.post(server.url + "/v1/me/passkeys/options", timeout=30)) == (
        401, "signed_out")
    assert problem(requests.post(server.url + "/v1/me/passkeys", timeout=30,
                                 json={"credential": credential})) == (401, "signed_out")


# What is refused when one is added

def test_adding_refuses_wrong_origin_party_and_flags(server, ada):
    wrong = [{"origin": "https://evil.example"}, {"origin": server.url + "/"},
             {"origin": server.url.replace("http:", "https:")}]
    for how in wrong:
        options = creation_options(ada)
        credential = Passkey().create(options, how["origin"])
        reply = ada.call("POST", "/v1/me/passkeys", {"credential": credential})
        assert problem(reply) == (400, "invalid_field"), how
    for how in ({"rp_id": "evil.example"}, {"crossOrigin": True}, {"type": "webauthn.get"},
                {"topOrigin": "https://evil.example"}, {"challenge": "AAAA"},
                {"fmt": "fido-u2f"}):
        assert problem(try_add(ada, Passkey(), **how)) == (400, "invalid_field"), how
    for flags in (0, UP, UV):
        passkey = Passkey()
        passkey.flags = flags
        assert problem(try_add(ada, passkey)) == (400, "invalid_field"), flags
    assert passkeys(ada) == []


def test_a_challenge_is_for_one_session_and_one_use(server, ada):
    bob = Person(server)
    options = creation_options(bob)
    assert problem(try_add(ada, Passkey(), options)) == (400, "invalid_field")
    other_device = Person.__new__(Person)
    other_device.__dict__.update(ada.__dict__, http=requests.Session())
    other_device.keep(ada.sign_in())
    options = creation_options(ada)
    assert problem(try_add(other_device, Passkey(), options)) == (400, "invalid_field")
    add(ada, options=options)
    assert problem(try_add(ada, Passkey(), options)) == (400, "invalid_field")
    # One for signing in is none for adding.
    options = {**creation_options(ada), "challenge": challenge(server)["challenge"]}
    assert problem(try_add(ada, Passkey(), options)) == (400, "invalid_field")


def test_adding_refuses_what_is_no_credential(server, ada):
    good = Passkey().create(creation_options(ada), server.url)

    def changed(**members):
        return {**good, "response": {**good["response"], **members}}

    attestation = unb64(good["response"]["attestationObject"])
    for bad in (None, 1, [], {}, "x", {**good, "type": "password"}, {**good, "id": ""},
                {**good, "id": b64(b"another")}, {**good, "response": None},
                changed(attestationObject=None), changed(attestationObject="*"),
                changed(attestationObject=b64(attestation[:-1])),
                changed(attestationObject=b64(attestation + b"\0")),
                changed(attestationObject=b64(os.urandom(200))),
                changed(attestationObject=b64(b"\x9b" + b"\x7f" * 8)),
                changed(attestationObject=b64(b"\x81" * 9000)),
                changed(clientDataJSON=b64(b"{")), changed(clientDataJSON=b64(b"[" * 3000)),
                changed(clientDataJSON=good["response"]["attestationObject"])):
        reply = ada.call("POST", "/v1/me/passkeys", {"credential": bad})
        assert problem(reply) == (400, "invalid_field"), bad
    reply = ada.call("POST", "/v1/me/passkeys",
                     {"credential": changed(attestationObject="A" * (1 << 20))})
    assert reply.status_code == 413
    assert ada.call("POST", "/v1/me/passkeys", {"credential": good}).status_code == 201


# What is refused when one signs in

def test_signing_in_refuses_wrong_origin_party_and_flags(server, ada):
    passkey = add(ada)
    assert problem(send(server, passkey.get(challenge(server), "https://evil.example"))) == REFUSED
    for how in ({"rp_id": "evil.example"}, {"crossOrigin": True}, {"type": "webauthn.create"},
                {"challenge": "AAAA"}):
        assert problem(sign_in(server, passkey, **how)) == REFUSED, how
    for flags in (0, UP, UV):
        passkey.flags = flags
        assert problem(sign_in(server, passkey)) == REFUSED, flags
    passkey.flags = UP | UV
    assert sign_in(server, passkey).status_code == 201
    assert "session.refused" in actions(ada)


def test_a_challenge_signs_in_once(server, ada):
    passkey = add(ada)
    credential = passkey.get(challenge(server), server.url)
    assert send(server, credential).status_code == 201
    assert problem(send(server, credential)) == REFUSED
    options = creation_options(ada)
    assert problem(sign_in(server, passkey, {**options, "rpId": options["rp"]["id"]})) == REFUSED


def test_of_many_at_the_same_time_one_signs_in(server, ada):
    passkey = add(ada)
    credential = passkey.get(challenge(server), server.url)
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(send(server, credential).status_code))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [401] * 7


def test_nobody_elses_signature_signs_in(server, ada):
    passkey, stranger = add(ada), Passkey()
    stranger.id, stranger.user = passkey.id, passkey.user
    assert problem(sign_in(server, stranger)) == REFUSED
    for alg in (EDDSA, RS256):
        confused = Passkey(alg)
        confused.id, confused.user = passkey.id, passkey.user
        assert problem(sign_in(server, confused)) == REFUSED
    bob = Person(server)
    theirs = add(bob)
    assert problem(sign_in(server, theirs, user=passkey.user)) == REFUSED
    assert problem(sign_in(server, passkey, user=os.urandom(16))) == REFUSED
    good = passkey.get(challenge(server), server.url)
    for member in ("clientDataJSON", "authenticatorData", "signature"):
        data = bytearray(unb64(good["response"][member]))
        data[-2] ^= 1
        reply = send(server, {**good, "response": {**good["response"], member: b64(bytes(data))}})
        assert reply.status_code in (400, 401), member
    assert send(server, good).status_code == 201


def test_signing_in_refuses_what_is_no_credential(server, ada):
    passkey = add(ada)
    good = passkey.get(challenge(server), server.url)

    def changed(**members):
        return {**good, "response": {**good["response"], **members}}

    for bad in (None, {}, [], {**good, "type": "x"}, {**good, "id": "*"}, changed(signature=""),
                changed(signature=None), changed(authenticatorData=None), changed(userHandle=None),
                changed(userHandle="AAAA"), changed(clientDataJSON=None)):
        assert problem(send(server, bad)) == (400, "invalid_field"), bad
    for bad in (changed(signature=b64(os.urandom(2000))), changed(authenticatorData="AAAA"),
                changed(clientDataJSON=b64(b"\xff" * 50)),
                changed(authenticatorData=b64(b"\x81" * 3000))):
        assert problem(send(server, bad)) == REFUSED, bad
    assert send(server, changed(signature="A" * (1 << 20))).status_code == 413
    assert send(server, good).status_code == 201


def test_a_copy_of_an_authenticator_is_refused_and_told(server, ada):
    passkey = Passkey()
    passkey.count = 5
    add(ada, passkey)
    passkey.count = 9
    assert sign_in(server, passkey).status_code == 201
    for count in (9, 8, 0):
        passkey.count = count
        assert problem(sign_in(server, passkey)) == REFUSED, count
    assert actions(ada).count("passkey.copied") == 3
    assert eventually(lambda: any("passkey was refused" in mail["Subject"]
                                  for mail in mails(server, ada.address)))
    passkey.count = 10
    assert sign_in(server, passkey).status_code == 201


def test_a_removed_passkey_signs_in_no_more(server, ada):
    passkey = add(ada)
    assert sign_in(server, passkey).status_code == 201
    assert passkeys(ada)[0]["used"]
    path = "/v1/me/passkeys/" + b64(passkey.id)
    assert ada.call("DELETE", path).status_code == 204
    assert problem(sign_in(server, passkey)) == REFUSED
    assert problem(ada.call("DELETE", path)) == (404, "not_found")
    assert passkeys(ada) == []
    assert {"passkey.removed", "passkey.used", "passkey.added"} <= set(actions(ada))
    assert eventually(lambda: any("passkey was removed" in mail["Subject"]
                                  for mail in mails(server, ada.address)))


def test_passkeys_are_named(server, ada):
    passkey = add(ada)
    path = "/v1/me/passkeys/" + b64(passkey.id)
    assert ada.call("PATCH", path, {"name": "Läptop"}).status_code == 204
    assert passkeys(ada)[0]["name"] == "Läptop"
    assert problem(ada.call("PATCH", path, {"name": "a\u202eb"})) == (400, "invalid_field")
    assert problem(ada.call("PATCH", path, {"name": "x" * 201})) == (400, "invalid_field")
    bob = Person(server)
    for method, body in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        assert problem(bob.call(method, path, body)) == (404, "not_found")
    for wrong in ("*", "A", "x" * 3000, "%00"):
        assert ada.call("DELETE", "/v1/me/passkeys/" + wrong).status_code in (400, 404, 414), wrong
    assert sign_in(server, passkey).status_code == 201


def test_what_a_stolen_database_says_of_passkeys(server, ada):
    if not server.embedded:
        pytest.skip("reads the file")
    passkey = add(ada, name="Secret name")
    public = passkey.key.public_key().public_numbers().x.to_bytes(32, "big")
    database = sqlite3.connect(server.data / "imagesync.db")
    dump = "\n".join(database.iterdump()).encode()
    database.close()
    for secret in (b"Secret name", passkey.id, b64(passkey.id).encode(), public):
        assert secret not in dump and secret.hex().upper().encode() not in dump.upper()
    assert base64.b64encode(public) not in dump


# Proofs

def proof(person, credential):
    return person.call("POST", "/v1/sessions/proof", {"credential": credential})


def test_a_passkey_renews_the_proof(server, ada):
    passkey = add(ada)
    reply = proof(ada, passkey.get(challenge(server), server.url))
    assert reply.status_code == 204, reply.text
    (current,) = [row for row in ada.call("GET", "/v1/sessions").json()["sessions"]
                  if row["current"]]
    assert current["methods"] == ["passkey"]
    credential = passkey.get(challenge(server), server.url)
    del credential["response"]["userHandle"]  # as when the browser was told which to use
    assert proof(ada, credential).status_code == 204
    assert problem(proof(ada, credential)) == REFUSED


def test_anothers_passkey_proves_nothing(server, ada):
    bob = Person(server)
    theirs = add(bob)
    credential = theirs.get(challenge(server), server.url)
    assert problem(proof(ada, credential)) == REFUSED
    del credential["response"]["userHandle"]
    assert problem(proof(ada, credential)) == REFUSED
    for body in ({}, {"password": PASSWORD, "credential": credential}):
        assert problem(ada.call("POST", "/v1/sessions/proof", body)) == (400, "invalid_field")


# Passkeys and nothing else

def test_the_last_way_in_stays(server, ada):
    assert problem(ada.call("DELETE", "/v1/me/password")) == (409, "conflict")
    assert ada.sign_in().status_code == 201
    first, second = add(ada), add(ada)
    assert ada.call("DELETE", "/v1/me/password").status_code == 204
    assert ada.call("GET", "/v1/me").json()["password"] is False
    assert problem(ada.sign_in()) == (401, "wrong_credentials")
    assert actions(ada)[1] == "password.removed"  # before the sign-in that was refused
    assert ada.call("DELETE", "/v1/me/passkeys/" + b64(first.id)).status_code == 204
    last = "/v1/me/passkeys/" + b64(second.id)
    assert problem(ada.call("DELETE", last)) == (409, "conflict")
    assert sign_in(server, second).status_code == 201
    assert ada.call("PUT", "/v1/me/password", {"password": PASSWORD}).status_code == 204
    assert ada.call("DELETE", last).status_code == 204
    assert ada.sign_in().status_code == 201


def test_password_and_last_passkey_cannot_both_go(server, ada):
    passkey = add(ada)
    statuses = []
    calls = [("DELETE", "/v1/me/password"), ("DELETE", "/v1/me/passkeys/" + b64(passkey.id))]
    threads = [threading.Thread(target=lambda call=call: statuses.append(
        requests.request(call[0], server.url + call[1], headers=dict(ada.http.headers),
                         timeout=60).status_code)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, 409]


def test_a_forgotten_passkey_is_got_over_by_mail(server, ada):
    add(ada)
    assert ada.call("DELETE", "/v1/me/password").status_code == 204
    before = len(mails(server, ada.address))
    ada.call("POST", "/v1/password-resets", {"email": ada.address})
    assert eventually(lambda: any("Choose a new password" in mail["Subject"]
                                  for mail in mails(server, ada.address)[before:]))
    (mail,) = [mail for mail in mails(server, ada.address)
               if "Choose a new password" in mail["Subject"]]
    reply = requests.post(server.url + "/v1/password-resets/complete", timeout=60,
                          json={"token": token_in(mail), "password": "a new password 123"})
    assert reply.status_code == 204, reply.text
    assert ada.sign_in("a new password 123").status_code == 201


def test_an_account_is_opened_without_a_password(server):
    address = new_address()
    requests.post(server.url + "/v1/registrations", json={"email": address}, timeout=30)
    token = token_in(wait_for_mail(server, address))

    def post(path, body):
        return requests.post(server.url + path, json=body, timeout=60)

    options = post("/v1/registrations/passkey", {"token": token}).json()["publicKey"]
    assert options["user"]["name"] == address
    passkey = Passkey()
    credential = passkey.create(options, server.url)
    body = {"token": token, "cookie": False, "name": "Ada"}
    complete = "/v1/registrations/complete"
    assert problem(post(complete, body)) == (400, "invalid_field")
    assert problem(post(complete, {**body, "password": PASSWORD, "credential": credential})) == (
        400, "invalid_field")
    other = Person(server)
    wrong = Passkey().create(creation_options(other), server.url)
    assert problem(post(complete, {**body, "credential": wrong})) == (400, "invalid_field")
    reply = post(complete, {**body, "credential": credential, "passkey_name": "My phone"})
    assert reply.status_code == 201, reply.text
    user = reply.json()["user"]
    assert user["email"] == address and user["password"] is False
    assert reply.json()["session"]["methods"] == ["passkey"]
    assert problem(post(complete, {**body, "credential": credential})) == (400, "invalid_token")
    assert problem(post("/v1/registrations/passkey", {"token": token})) == (400, "invalid_token")
    assert sign_in(server, passkey).json()["user"]["id"] == user["id"]
    for password in ("", PASSWORD):
        reply = post("/v1/sessions", {"email": address, "password": password})
        assert problem(reply) == (401, "wrong_credentials")


# Without the cache

def test_passkeys_work_while_redis_is_away(tmp_path):
    with servers(tmp_path, []) as settings:
        away = Server(tmp_path / "server", **CHEAP,
                      **{**settings, "cache": "redis://127.0.0.1:1"})
        try:
            ada = Person(away)
            passkey = add(ada)
            credential = passkey.get(challenge(away), away.url)
            assert send(away, credential).status_code == 201
            assert problem(send(away, credential)) == REFUSED
            assert away.metric("imagesync_cache_up") == 0
        finally:
            away.stop()


def test_a_challenge_outlives_the_server_that_gave_it(tmp_path):
    server = Server(tmp_path / "server", **CHEAP, public_url="https://photos.example.com")
    try:
        ada = Person(server)
        options = creation_options(ada)
        assert options["rp"]["id"] == "photos.example.com"
        passkey = Passkey()
        reply = ada.call("POST", "/v1/me/passkeys",
                         {"credential": passkey.create(options, "https://photos.example.com")})
        assert reply.status_code == 201, reply.text
        given = challenge(server)
        spent = passkey.get(challenge(server), "https://photos.example.com")
        assert send(server, spent).status_code == 201
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        server.start()
        assert send(server, passkey.get(given, "https://photos.example.com")).status_code == 201
        assert problem(send(server, spent)) == REFUSED
        assert problem(send(server, passkey.get(challenge(server), server.url))) == REFUSED
    finally:
        server.stop()


def test_replies_have_the_shapes_that_are_described(server, ada):
    document = yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())

    def check(value, name):
        Draft202012Validator({"$ref": f"#/components/schemas/{name}",
                              "components": document["components"]}).validate(value)

    options = ada.call("POST", "/v1/me/passkeys/options").json()
    check(options, "PasskeyCreation")
    passkey = Passkey()
    credential = passkey.create(options["publicKey"], server.url)
    check({"name": "Phone", "credential": credential}, "PasskeyBody")
    check(ada.call("POST", "/v1/me/passkeys", {"credential": credential}).json(), "Passkey")
    asked = requests.post(server.url + "/v1/passkey-challenges", timeout=30).json()
    check(asked, "PasskeyRequest")
    assertion = passkey.get(asked["publicKey"], server.url)
    check({"credential": assertion}, "ProofBody")
    check({"credential": assertion, "cookie": False}, "PasskeySignInBody")
    check(send(server, assertion).json(), "SignedIn")
    check(ada.call("GET", "/v1/me/passkeys").json(), "Passkeys")
    check(ada.call("GET", "/v1/me").json(), "User")
    check(send(server, assertion).json(), "ProblemDetails")
