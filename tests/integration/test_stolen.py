# SPDX-License-Identifier: Apache-2.0
"""Whoever steals a copy of the cache or of the database, without the master key, has nothing to get
in with and learns of nobody."""

import base64
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
import requests

from backends import rows, running, stored
from people import PASSWORD, Person, token_in, wait_for_mail
from test_accounts import CHEAP, add_totp, totp
from test_oidc import CALLBACK, CLIENTS, SHOP, Browser, b64, unb64

BACKENDS = ["embedded", "servers"]
ALL_SCOPES = "openid profile email offline_access account"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stolen")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, folder, oidc_clients=folder / "clients.json", megapixels_per_minute=0,
                 **CHEAP) as server:
        yield server


class Redis:
    """As much of its protocol (RESP 2) as reading a copy takes."""

    def __init__(self, url):
        at = urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port), 30)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else word.encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.read()

    def read(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            data = self.file.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
            return data
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        assert kind != b"-", rest
        return rest

    def copy(self):
        """All keys with their values."""
        found = {}
        for key in self("KEYS", "*"):
            assert self("TYPE", key) == b"string", key
            value = self("GET", key)
            if value is not None:  # its time may have come meanwhile
                found[key] = value
        return found


class Target:
    """Somebody with one of everything that opens something, and all of it in use."""

    def __init__(self, server):
        self.person = person = Person(server, name="Zebulon Quackenbush")
        self.session = person.http.headers["Authorization"].removeprefix("Bearer ")
        browser = Browser(server, scope=ALL_SCOPES)
        self.tokens = browser.tokens(person)
        self.browser = browser
        self.key = person.call("POST", "/v1/api-keys", {"name": "Till"}).json()["key"]
        self.code = Browser(server, scope=ALL_SCOPES).code(person)
        self.device = requests.post(server.url + "/oauth/device-authorization", timeout=30,
                                    data={"client_id": "imagesync-cli"}).json()
        requests.post(server.url + "/v1/password-resets", json={"email": person.address},
                      timeout=30)
        self.mail_token = token_in(wait_for_mail(server, person.address, 2))
        self.totp, self.recovery = add_totp(person)
        # Right and wrong, so that all of it is counted and cached.
        self.second = person.sign_in(code=totp(self.totp)).json()["token"]
        for code in ("000000", self.recovery[0]):
            person.sign_in(code=code)
        person.sign_in("wrong password")
        for token in (self.session, self.second, self.tokens["access_token"]):
            assert requests.get(server.url + "/v1/me", timeout=30, headers={
                "Authorization": "Bearer " + token}).status_code == 200
        assert server.get("/v1/account", self.key).status_code == 200

    def secrets(self):
        """What must be readable nowhere."""
        texts = [self.session, self.second, self.tokens["access_token"],
                 self.tokens["refresh_token"], self.tokens["id_token"], self.key, self.code,
                 self.mail_token, self.totp, self.device["device_code"],
                 self.device["user_code"], self.device["user_code"].replace("-", ""),
                 *self.browser.http.cookies.values(), *self.recovery,
                 *(code.replace("-", "") for code in self.recovery),
                 self.person.address, self.person.address.upper(), "Zebulon", "Quackenbush",
                 PASSWORD, "127.0.0.1"]
        # The parts that are secret, as bytes: ids stand before them.
        parts = [unb64(self.session)[-32:], unb64(self.second)[-32:],
                 unb64(self.key.removeprefix("isk_"))[-32:], unb64(self.device["device_code"]),
                 unb64(self.mail_token), base64.b32decode(self.totp + "=" * (-len(self.totp) % 8))]
        return [text.encode() for text in texts] + parts


@pytest.fixture(scope="module")
def target(server):
    return Target(server)


def readable(copy, target):
    return [(name, secret) for name, data in copy.items() for secret in target.secrets()
            if secret in data]


def test_nothing_is_readable_in_the_cache(server, target):
    if server.embedded:
        pytest.skip("its cache is in the process")
    copy = Redis(server.environment["IMAGESYNC_CACHE"]).copy()
    kinds = {word for key in copy for word in key.split(b"/")}
    assert {b"session", b"attempts", b"attempts-networks", b"api-key"} <= kinds, kinds
    copy[b"the keys"] = b"\n".join(copy)
    assert not readable(copy, target)


def test_nothing_is_readable_in_the_database(server, target):
    copy = stored(server)
    found = [(name, secret) for name, secret in readable(copy, target)]
    assert not found


# What a thief can try: each run of bytes in the place of a secret.

def stolen_columns(server):
    """All byte columns of the tables that sign somebody in."""
    columns = {"user_session": ["secret_hash", "session_id"],
               "user_api_key": ["secret_hash", "key_id"],
               "user_mail_token": ["token_hash"], "user_recovery_code": ["code_hash"],
               "user_device_request": ["device_hash", "user_code_hash"],
               "user_grant": ["grant_id", "detail_sealed"], "user_account": ["email_hash"],
               "user_key": ["wrapped"], "user_service_key": ["wrapped"],
               "user_signing_key": ["sealed"]}
    hexed = "hex({})" if server.embedded else "encode({}, 'hex')"
    for table, names in columns.items():
        for name in names:
            for (value,) in rows(server, f"SELECT 'x' || {hexed.format(name)} FROM {table}"):
                yield bytes.fromhex(value[1:])


def stolen_cache(server):
    if server.embedded:
        return
    for key, value in Redis(server.environment["IMAGESYNC_CACHE"]).copy().items():
        yield value
        yield key
        for part in re.findall(rb"[0-9a-f]{32,}", key):
            yield bytes.fromhex(part.decode())


def pieces(server):
    """Everything of a secret's length in there, at each place where one may begin."""
    found = set()
    for value in [*stolen_columns(server), *stolen_cache(server)]:
        found |= {value[at:at + 32] for at in range(0, max(len(value) - 31, 1), 8)}
        found.add(value)
    return found


def opens(server, path, token, header="Authorization"):
    value = "Bearer " + token if header == "Authorization" else token
    return requests.get(server.url + path, headers={header: value}, timeout=30).status_code


def test_nothing_that_is_stored_opens_anything(server, target):
    session, key = unb64(target.session), unb64(target.key.removeprefix("isk_"))
    assert opens(server, "/v1/me", b64(session)) == 200
    assert opens(server, "/v1/account", "isk_" + b64(key), "X-Api-Key") == 200
    found = pieces(server)
    assert len(found) > 30
    with requests.Session() as http:
        for piece in found:
            for raw in (piece, session[:32] + piece, session[:16] + piece):
                token = b64(raw)
                for headers in ({"Authorization": "Bearer " + token}, {"Cookie": "session=" + token}):
                    assert http.get(server.url + "/v1/me", headers=headers,
                                    timeout=30).status_code == 401
            for raw in (piece, key[:32] + piece):
                for text in (b64(raw), "isk_" + b64(raw)):
                    assert http.get(server.url + "/v1/account", timeout=30,
                                    headers={"X-Api-Key": text}).status_code == 403
            grant = unb64(target.tokens["refresh_token"])
            for raw in (piece, grant[:32] + piece, grant[:16] + piece):
                reply = http.post(server.url + "/oauth/token", timeout=30, data={
                    "grant_type": "refresh_token", "client_id": SHOP, "refresh_token": b64(raw)})
                assert reply.status_code == 400 and "access_token" not in reply.text
                reply = http.post(server.url + "/oauth/token", timeout=30, data={
                    "grant_type": "authorization_code", "client_id": SHOP, "code": b64(raw),
                    "redirect_uri": CALLBACK, "code_verifier": "x" * 43})
                assert reply.status_code == 400
            reply = http.post(server.url + "/oauth/token", timeout=30, data={
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "client_id": "imagesync-cli", "device_code": b64(piece)})
            assert reply.status_code == 400 and reply.json()["error"] == "invalid_grant"
            for path in ("/v1/password-resets/complete", "/v1/registrations/complete"):
                reply = http.post(server.url + path, timeout=30, json={
                    "token": b64(piece)[:100], "password": "a wholly new password"})
                assert reply.status_code == 400
    # A thief who makes things up takes nothing from whoever has them.
    assert opens(server, "/v1/me", target.session) == 200
    refreshed = target.browser.refresh(target.tokens["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text


def test_a_recovery_codes_hash_is_none(server, target):
    for value in stolen_columns(server):
        if len(value) == 32:
            text = base64.b32encode(value[:10]).decode()
            reply = target.person.sign_in(code="-".join(re.findall("....", text)))
            assert reply.status_code in (401, 429)
