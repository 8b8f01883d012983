# SPDX-License-Identifier: Apache-2.0
"""Access tokens that are signed with the server's own key and yet must not be taken; clocks that
differ; and the keys that an operator makes anew."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_private_key

from backends import rows, running
from harness import BINARY, Server, eventually
from people import Person, problem
from test_accounts import CHEAP
from test_oidc import CLIENTS, OWN, SHOP, Browser, b64, kids, unb64, userinfo, verify

BACKENDS = ["embedded", "servers"]
LEEWAY_S = 5  # ACCESS_TOKEN_LEEWAY_S


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, folder, oidc_clients=folder / "clients.json", **CHEAP) as server:
        yield server


def unseal(key, sealed, associated):
    """base/crypto/aead.h: version, nonce, text and tag."""
    assert sealed[0] == 1
    return AESGCM(key).decrypt(sealed[1:13], sealed[13:], associated)


def signing_key(server):
    """The server's ES256 key, as a thief of both the database and the master key gets it."""
    id, _, key = (server.data / "master.key").read_text().strip().splitlines()[-1].partition(":")
    hexed = "hex({})" if server.embedded else "encode({}, 'hex')"
    ((wrapped,),) = rows(server, f"SELECT {hexed.format('wrapped')} FROM user_service_key "
                                 "WHERE name = 'seal'")
    ((kid, sealed),) = rows(server, f"SELECT kid, {hexed.format('sealed')} FROM user_signing_key "
                                    "WHERE alg = 0")
    wrapped, sealed = bytes.fromhex(wrapped), bytes.fromhex(sealed)
    wrapping = HKDF(hashes.SHA256(), 32, None, b"imagesync wrap v1").derive(unb64(key))
    head = bytes([len(id)]) + id.encode()
    assert wrapped.startswith(head)
    service = unseal(wrapping, wrapped[len(head):], head + b"imagesync/service/seal")
    return kid, load_der_private_key(unseal(service, sealed, b"user_signing_key.sealed"), None)


@pytest.fixture(scope="module")
def mint(server):
    """mint(claims, header): a token that the server's own key has signed."""
    kid, key = signing_key(server)

    def sign(claims, **header):
        head = {"alg": "ES256", "typ": "at+jwt", "kid": kid, **header}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, claims))
        r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return signed + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return sign


@pytest.fixture(scope="module")
def good(server):
    """The claims of a token that is good for all there is."""
    tokens = Browser(server, scope="openid account").tokens(Person(server))
    return verify(server, tokens["access_token"])[1]


def taken(server, token):
    """Whether both who it is for take it; they agree."""
    info = userinfo(server, token)
    me = requests.get(server.url + "/v1/me", timeout=30,
                      headers={"Authorization": "Bearer " + token})
    assert info.status_code == me.status_code and info.status_code in (200, 401), (info, me)
    if me.status_code == 401:
        assert problem(me) == (401, "signed_out")
        for reply in (info, me):
            assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    return me.status_code == 200


def test_the_mint_is_good(server, mint, good):
    assert taken(server, mint({**good, "jti": "another"}))


@pytest.mark.parametrize("changed", [
    {"aud": "https://other.example.com"}, {"aud": SHOP}, {"aud": []}, {"aud": None}, {"aud": ""},
    {"aud": ["https://other.example.com", "https://third.example.com"]},
    {"iss": "https://other.example.com"}, {"iss": None}, {"iss": ""},
    {"sub": "nobody"}, {"sub": None}, {"sub": "018f0000-0000-7000-8000-000000000000"},
    {"grant": None}, {"grant": "018f0000-0000-7000-8000-000000000000"}, {"scope": None},
    {"scope": "openid root"}, {"client_id": None}, {"client_id": ""}, {"client_id": "x" * 65},
    {"exp": None}, {"exp": "tomorrow"}, {"exp": 0}, {"exp": -1}, {"iat": None}, {"exp": True},
])
def test_claims_that_are_not_of_ours(server, mint, good, changed):
    claims = {**good, **changed}
    claims = {name: value for name, value in claims.items() if value is not None}
    assert not taken(server, mint(claims))


@pytest.mark.parametrize("header", [
    {"typ": "JWT"}, {"typ": None}, {"alg": "none"}, {"alg": "EdDSA"}, {"alg": "HS256"},
    {"alg": "ES384"}, {"kid": "another"}, {"kid": ""}, {"crit": ["exp"]},
])
def test_headers_that_are_not_of_ours(server, mint, good, header):
    assert not taken(server, mint(good, **header))


@pytest.mark.parametrize("claim,offset,ok", [
    ("exp", -3600, False), ("exp", -LEEWAY_S - 2, False), ("exp", -1, True), ("exp", 60, True),
    ("nbf", 3600, False), ("nbf", LEEWAY_S + 5, False), ("nbf", 1, True), ("nbf", -60, True),
    ("iat", 3600, False), ("iat", LEEWAY_S + 5, False), ("iat", 1, True),
])
def test_clocks_may_differ_a_little(server, mint, good, claim, offset, ok):
    """Expired, not yet valid, and what another machine's clock may be off."""
    assert taken(server, mint({**good, claim: int(time.time()) + offset})) is ok


def test_a_token_that_was_good_expires(server, mint, good):
    token = mint({**good, "exp": int(time.time()) - LEEWAY_S + 2})
    assert taken(server, token)  # and is remembered
    assert eventually(lambda: userinfo(server, token).status_code == 401)
    assert not taken(server, token)


def test_another_servers_token(server, tmp_path):
    """The same keys and accounts under another address: another issuer and audience."""
    if not server.embedded:
        pytest.skip("a copy of the file is made")
    shutil.copy(server.data / "master.key", tmp_path / "master.key")
    (tmp_path / "other" / "data").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(server.data / "imagesync.db")) as live, \
            contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        live.backup(copy)
    other = Server(tmp_path / "second", master_key=tmp_path / "master.key",
                   database=f"sqlite:{tmp_path}/copy.db", blobs=server.blobs, oidc_clients=server.environment[
                       "IMAGESYNC_OIDC_CLIENTS"], **CHEAP)
    try:
        assert kids(other) == kids(server)
        token = Browser(other, scope="openid account").tokens(Person(other))["access_token"]
        assert taken(other, token) and not taken(server, token)
    finally:
        other.stop()


def test_challenges(server, good, mint):
    """RFC 6750 3: what is asked for, and of a token only when one was sent."""
    def challenge(path, method="GET", status=401, **kwargs):
        reply = requests.request(method, server.url + path, timeout=30, **kwargs)
        assert reply.status_code == status, reply.text
        return reply.headers["WWW-Authenticate"]

    for path in ("/v1/me", "/v1/sessions", "/v1/api-keys", "/oauth/userinfo"):
        assert challenge(path) == 'Bearer realm="imagesync"'
        assert challenge(path, headers={"Authorization": "Bearer x"}) \
            == 'Bearer realm="imagesync", error="invalid_token"'
    narrow = {"Authorization": "Bearer " + mint({**good, "scope": "openid"})}
    assert 'error="insufficient_scope"' in challenge("/v1/me", status=403, headers=narrow)
    narrow = {"Authorization": "Bearer " + mint({**good, "scope": "email"})}
    assert 'error="insufficient_scope"' in challenge("/oauth/userinfo", status=403, headers=narrow)
    # A wrong password says nothing of the token beside it.
    ada = Person(server)
    reply = ada.call("POST", "/v1/sessions/proof", {"password": "not this one"})
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="imagesync"'


# Keys that an operator makes anew

def rotate(server):
    environment = {name: value for name, value in server.environment.items()
                   if name != "IMAGESYNC_API_KEYS"}
    done = subprocess.run([BINARY, "keys", "rotate-signing", "--data", server.data],
                          env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def move_keys(server, seconds):
    """As if so much time had passed since the keys were made."""
    rows(server, "UPDATE user_signing_key SET signs_from_us = signs_from_us - "
                 f"{int(seconds * 1e6)}")


def test_signing_keys_are_made_anew_while_the_server_runs(backend, tmp_path):
    (tmp_path / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, tmp_path, oidc_clients=tmp_path / "clients.json", **CHEAP) as server:
        browser = Browser(server, OWN, "https://own.example.com/cb", "openid")
        browser.sign_in(browser.start(), Person(server))

        def token():
            answer = browser.answer(browser.start(prompt="none"))
            return browser.redeem(answer["code"]).json()["access_token"]

        def signer(token):
            return json.loads(unb64(token.split(".")[0]))["kid"]

        def read_again():
            os.kill(server.process.pid, signal.SIGHUP)

        old, before = kids(server), token()
        status, said = rotate(server)
        assert status == 0 and "which sign from" in said, said
        read_again()
        assert eventually(lambda: len(kids(server)) == 2 and len(kids(server, "EdDSA")) == 2)
        assert {signer(token())} == old  # who keeps a copy of the keys has not got the new one
        move_keys(server, 419)
        read_again()
        assert {signer(token())} == old
        move_keys(server, 2)
        read_again()
        assert eventually(lambda: {signer(token())} == kids(server) - old)
        assert userinfo(server, before).status_code == 200
        assert userinfo(server, token()).status_code == 200
        # All at once would fill the set that is published.
        statuses = [rotate(server)[0] for _ in range(5)]
        assert statuses[0] == 0 and statuses[-1] == 1
        assert "two days" in rotate(server)[1]
        move_keys(server, 3 * 86400)
        read_again()
        assert eventually(lambda: not old & kids(server))
        assert userinfo(server, before).status_code == 401  # it would have expired long ago
