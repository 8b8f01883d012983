# SPDX-License-Identifier: Apache-2.0
"""The user and the image part as two processes behind a proxy: what they say to each other, and
what is left of each while the other, or Redis, is away."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backends import PROXY_ADDRESS, rows, running
from harness import BINARY, KEY, MODELS, Server, descendants, encode, error, eventually, photo
from people import PASSWORD, Person, problem, token_in, wait_for_mail
from test_api_keys import CHEAP, grant, new_key
from test_oidc import CLIENTS, OWN, Browser

# Waiting for a reservation to end by itself must not take long.
SETTINGS = {"megapixels_per_minute": 0, "reservation_s": 5, "user_service_timeout_ms": 1500, **CHEAP}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("split")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running("split", folder, oidc_clients=folder / "clients.json", **SETTINGS) as server:
        yield server


def test_keys_of_libraries_are_for_the_sync_part_alone(server):
    """And credits for the image part: who holds one service's key holds no other's."""
    path, ada = server.data / "service.key", Person(server)
    session = ada.http.headers["Authorization"].removeprefix("Bearer ")
    sync, image = (service_token(path, caller=name) for name in ("sync", "image"))
    found = ask(server.user.url, "caller", sync, {"credential": session}).json()
    assert found["result"] == "done" and found["scopes"] == 7
    whose = {"user_id": found["user_id"]}
    secret = ask(server.user.url, "library-key", sync, whose).json()["secret"]
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    nobody = {"user_id": "01890a5d-ac96-774b-bcce-b302099a8057"}
    assert ask(server.user.url, "library-key", sync, nobody).json()["result"] == "none"
    assert ask(server.user.url, "ping", sync).status_code == 200
    for verb, body in (("caller", {"credential": session}), ("library-key", whose)):
        assert ask(server.user.url, verb, image, body).status_code == 401, verb
    for verb in ("key", "credits", "reserve", "charge", "release"):
        assert ask(server.user.url, verb, sync, whose).status_code == 401, verb


@pytest.fixture(scope="module")
def small():
    return encode(photo().resize((256, 256)))


@pytest.fixture(scope="module")
def large():
    """Takes long enough to be caught under way."""
    return encode(photo().resize((4000, 4000)), quality=70)


def rich(server, amount=5):
    person = Person(server)
    grant(server, person, amount)
    return person, new_key(person)["key"]


# Service tokens, made here once more so that server and test do not share a mistake

def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def service_token(path, caller="image", header=None, secret=None, **claims):
    line = [line for line in path.read_text().splitlines() if line and line[0] != "#"][-1]
    master = secret or base64.urlsafe_b64decode(line.split(":")[1] + "=")
    seed = HKDF(hashes.SHA256(), 32, None, f"imagesync service token of {caller}".encode()
                ).derive(master)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    now = int(time.time())
    said = {"iss": caller, "aud": "user", "iat": now, "exp": now + 30, **claims}
    head = {"alg": "EdDSA", "typ": "service+jwt", **(header or {})}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (head, said))
    return f"{signed}.{'' if head['alg'] == 'none' else b64(key.sign(signed.encode()))}"


VERBS = ("key", "caller", "library-key", "credits", "reserve", "charge", "release", "ping")


def ask(url, verb, token=None, body=None, **headers):
    if token is not None:
        headers["Authorization"] = "Bearer " + token
    return requests.post(f"{url}/internal/v1/access/{verb}", json=body or {}, headers=headers,
                         timeout=30)


def test_the_service_key_is_its_owners(server):
    path = server.data / "service.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert ask(server.user.url, "ping", service_token(path)).json() == {
        "result": "done", "scopes": 0, "expires_us": 0, "available": 0}


def test_nothing_internal_without_a_service_token(server):
    path, now = server.data / "service.key", int(time.time())
    ada = Person(server)
    session = ada.http.headers["Authorization"].removeprefix("Bearer ")
    tokens = {
        "none": None,
        "empty": "",
        "of a session": session,
        "an API key": new_key(ada)["key"],
        "expired": service_token(path, iat=now - 100, exp=now - 50),
        "not yet": service_token(path, iat=now + 60, exp=now + 90),
        "too long a life": service_token(path, exp=now + 3600),
        "without iat": service_token(path, iat=None),
        "wrong audience": service_token(path, aud="image"),
        "wrong issuer": service_token(path, iss="user"),
        "another's key": service_token(path, caller="user", iss="image"),
        "unsigned": service_token(path, header={"alg": "none"}),
        "HMAC": service_token(path, header={"alg": "HS256"}),
        "another type": service_token(path, header={"typ": "at+jwt"}),
        "another secret": service_token(path, secret=bytes(32)),
        "an access token": Browser(server, OWN, "https://own.example.com/cb", "openid").tokens(
            ada)["access_token"],
    }
    before = server.metric("imagesync_service_calls_refused_total")
    for name, token in tokens.items():
        for verb in VERBS:
            reply = ask(server.user.url, verb, token)
            assert reply.status_code == 401, (name, verb, reply.text)
            assert "user_id" not in reply.text
    refused = server.metric("imagesync_service_calls_refused_total") - before
    assert refused == len(tokens) * len(VERBS)
    cookie = requests.post(server.user.url + "/internal/v1/access/ping", json={}, timeout=30,
                           cookies={"session": session})
    assert cookie.status_code == 401


def test_nothing_internal_through_the_proxy_or_the_image_part(server):
    token = service_token(server.data / "service.key")
    assert ask(server.user.url, "ping", token).status_code == 200
    for url in (server.url, server.image.url):
        assert ask(url, "ping", token).status_code == 404
    assert ask(server.url + "/v1/..", "ping", token).status_code == 404


def test_one_process_has_nothing_internal(tmp_path):
    with running("embedded", tmp_path, **CHEAP) as server:
        assert ask(server.url, "ping").status_code == 404
        assert not (server.data / "service.key").exists()


def test_questions_that_make_no_sense_are_refused(server):
    token = service_token(server.data / "service.key")
    for verb, body in [("key", {}), ("key", {"key": 5}), ("credits", {"user_id": "x"}),
                       ("reserve", {"user_id": "x"}), ("charge", {}), ("ping", {"more": 1})]:
        assert ask(server.user.url, verb, token, body).status_code == 400, (verb, body)
    assert ask(server.user.url, "key", token, {"key": "isk_x"}).json()["result"] == "none"


def test_the_image_part_needs_neither_database_nor_master_key(server, small):
    _, key = rich(server)
    assert server.removebg(small, key=key, size="full").status_code == 200
    kept = {path.name for path in server.image.data.iterdir()}
    assert not kept & {"master.key", "service.key", "imagesync.db"}, kept


# Who calls, behind the proxy

def session_address(person):
    (session,) = [entry for entry in person.call("GET", "/v1/sessions").json()["sessions"]
                  if entry["current"]]
    return session["address"]


def signed_in_from(url, person, forwarded):
    reply = requests.post(url + "/v1/sessions", timeout=60, headers={"X-Forwarded-For": forwarded},
                          json={"email": person.address, "password": PASSWORD, "cookie": False})
    assert reply.status_code == 201, reply.text
    return reply.json()["session"]["address"]


def test_the_proxy_says_who_calls_and_nobody_else(server):
    ada = Person(server)
    assert session_address(ada) == "127.0.0.1"
    # What a client writes itself stands before what the proxy saw.
    for forged in ("203.0.113.9", "203.0.113.9, 127.0.0.2", PROXY_ADDRESS, "127.0.0.2,,", "x"):
        assert signed_in_from(server.url, ada, forged) == "127.0.0.1", forged
        assert signed_in_from(server.user.url, ada, forged) == "127.0.0.1", forged
    entries = ada.call("GET", "/v1/me/audit").json()["entries"]
    assert {entry["address"] for entry in entries} == {"127.0.0.1"}


def test_the_page_stays_for_this_machine(server, small):
    """The proxy says that the client is on it; past the proxy nobody is believed."""
    page = {"X-Requested-With": "imagesync"}
    for url, forwarded, status in ((server.url, None, 200), (server.url, "203.0.113.9", 200),
                                   (server.image.url, "127.0.0.1", 403)):
        headers = {**page, **({"X-Forwarded-For": forwarded} if forwarded else {})}
        reply = requests.post(url + "/v1/cutout", files={"image": small}, headers=headers,
                              timeout=60)
        assert reply.status_code == status, (url, forwarded, reply.text)


def test_cookies_are_secure_by_the_public_url(tmp_path):
    with running("split", tmp_path, **{**SETTINGS, "public_url": "https://photos.example.com/"}
                 ) as server:
        requests.post(server.url + "/v1/registrations", json={"email": "a@example.com"}, timeout=30)
        mail = wait_for_mail(server, "a@example.com")
        assert "https://photos.example.com/account" in mail.get_content()
        reply = requests.post(server.url + "/v1/registrations/complete", timeout=60, json={
            "token": token_in(mail), "password": PASSWORD, "cookie": True})
        assert reply.status_code == 201, reply.text
        cookie = reply.headers["Set-Cookie"]
        assert cookie.startswith("__Host-session=") and "; Secure" in cookie
        config = requests.get(server.url + "/.well-known/openid-configuration", timeout=30).json()
        assert config["issuer"] == "https://photos.example.com"


# What is left while the other is away

@contextlib.contextmanager
def killed(part):
    """Until the end of the block; then it is there again, whatever happened."""
    part.kill()
    try:
        yield
    finally:
        part.start()


@contextlib.contextmanager
def stopped(part):
    """Until the end of the block: it answers nobody, and goes on afterwards as if nothing was."""
    pids = [part.process.pid, *descendants(part.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def reservations(server):
    return rows(server, "SELECT count(*) FROM user_reservation")[0][0]


def account(server, person):
    """(balance, reserved) in hundredths."""
    (row,) = rows(server, "SELECT balance, reserved FROM user_credit WHERE user_id = "
                          f"'\\x{person.id.replace('-', '')}'")
    return row


def under_way(server, large, key):
    """A picture that is being cut out: credits are set aside. Gives what it will have come to."""
    before, replies = reservations(server), []

    def cut():
        try:
            replies.append(server.removebg(large, key=key, size="full"))
        except requests.RequestException as failure:
            replies.append(failure)

    thread = threading.Thread(target=cut)
    thread.start()
    assert eventually(lambda: reservations(server) > before or replies), "never reserved"
    assert not replies, replies[0].text
    return thread, replies


def test_without_the_user_part_users_wait_and_others_do_not(server, small):
    _, key = rich(server)
    assert server.removebg(small, key=key, size="full").status_code == 200
    with killed(server.user):
        assert error(server.removebg(small, key=key, size="full")) == (503, "unavailable")
        reply = server.get("/v1.0/account", key)
        assert reply.status_code == 503 and reply.headers["Retry-After"] == "1"
        for path, files in (("/v1.0/removebg", "image_file"), ("/v1/segment", "image_file"),
                            ("/v1/cutout", "image")):
            reply = server.post(path, key, files={files: small})
            assert reply.status_code == 503 and reply.headers["Retry-After"] == "1", path
        assert server.removebg(small, key=KEY).status_code == 200
        assert server.image.metric("imagesync_user_service_up") == 0
        assert server.image.metric('imagesync_user_service_calls_total{result="failed"}') > 0
        assert requests.get(server.image.url + "/readyz", timeout=10).status_code == 200
    assert eventually(lambda: server.removebg(small, key=key, size="full").status_code == 200)
    assert server.image.metric("imagesync_user_service_up") == 1
    assert server.balance(key) == 3


def test_a_user_part_that_hangs_holds_nobody_up(server, small):
    _, key = rich(server)
    with stopped(server.user):
        begun = time.monotonic()
        assert server.get("/v1.0/account", key).status_code == 503
        assert time.monotonic() - begun < 10
        assert server.removebg(small, key=KEY).status_code == 200
    assert eventually(lambda: server.get("/v1.0/account", key).status_code == 200)


def test_the_user_part_killed_under_a_picture_charges_once_or_never(server, large):
    person, key = rich(server)
    thread, replies = under_way(server, large, key)
    with killed(server.user):
        thread.join()
    # The picture was delivered or not; its reservation is charged, or ends by itself.
    assert eventually(lambda: server.get("/v1.0/account", key).status_code == 200)
    assert eventually(lambda: server.balance(key) == account(server, person)[0] / 100)
    reply, left = replies[0], server.balance(key)
    assert reply.status_code in (200, 503) and left in (4, 5), reply
    assert server.removebg(large, key=key, size="full").status_code == 200
    assert account(server, person) == (left * 100 - 100, 0) and reservations(server) == 0


@pytest.mark.parametrize("away", [stopped, killed])
def test_what_was_done_while_the_user_part_was_away_is_charged_when_it_is_back(
        tmp_path, large, away):
    with running("split", tmp_path, **{**SETTINGS, "reservation_s": 300,
                                       "user_service_timeout_ms": 500}) as server:
        person, key = rich(server)
        thread, replies = under_way(server, large, key)
        with away(server.user):
            thread.join()
            assert replies[0].status_code == 200
            assert account(server, person) == (500, 100)
            assert server.image.metric("imagesync_settlements_waiting") == 1
        assert eventually(lambda: account(server, person) == (400, 0))
        assert eventually(lambda: server.image.metric("imagesync_settlements_waiting") == 0)
        assert reservations(server) == 0 and server.balance(key) == 4


def test_the_image_part_killed_gives_its_reservation_back(server, large):
    person, key = rich(server)
    thread, replies = under_way(server, large, key)
    with killed(server.image):
        thread.join()
        assert getattr(replies[0], "status_code", 502) == 502  # the proxy's
        assert account(server, person) == (500, 100)
    assert eventually(lambda: server.balance(key) == 5)
    assert server.removebg(large, key=key, size="full").status_code == 200
    assert account(server, person) == (400, 0) and reservations(server) == 0


def test_without_redis_all_goes_on(tmp_path, small):
    with running("split", tmp_path, **SETTINGS) as server:
        person, key = rich(server)
        assert server.removebg(small, key=key, size="full").status_code == 200
        server.redis.terminate()
        server.redis.wait()
        assert server.removebg(small, key=key, size="full").status_code == 200
        assert person.sign_in().status_code == 201
        assert person.call("GET", "/v1/me").json()["id"] == person.id
        assert server.balance(key) == 3
        for part in (server.user, server.image):
            assert eventually(lambda part=part: part.metric("imagesync_cache_up") == 0)
        # A key that is taken away is refused at once: nothing remembers it.
        made = new_key(person)
        assert server.get("/v1.0/account", made["key"]).status_code == 200
        assert person.call("DELETE", "/v1/api-keys/" + made["id"]).status_code == 204
        assert server.get("/v1.0/account", made["key"]).status_code == 403


# How it is set up

@pytest.mark.parametrize("words,says", [
    (["--services", "image"], "--user-service"),
    (["--services", "all", "--user-service", "http://127.0.0.1:1"], "without the user part"),
    (["--services", "image", "--user-service", "ftp://127.0.0.1"], "http://HOST:PORT"),
    (["--services", "image", "--user-service", "http://127.0.0.1:1"], "start the user part first"),
    (["--trusted-proxies", "everybody"], "--trusted-proxies"),
])
def test_what_does_not_go_together_is_said(tmp_path, server, words, says):
    if "ftp" in words[-1]:
        words = [*words, "--service-key", server.data / "service.key"]
    (tmp_path / "models").symlink_to(MODELS.resolve())
    done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path, *words],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"]})
    assert done.returncode in (2, 3), done.stderr
    assert says in done.stderr, done.stderr


def test_another_service_key_is_said_and_refused(tmp_path, server, small):
    other = tmp_path / "other.key"
    other.write_text("x:" + b64(bytes(32)) + "\n")
    other.chmod(0o600)
    image = Server(tmp_path / "image", services="image", user_service=server.user.url,
                   service_key=other, megapixels_per_minute=0)
    try:
        _, key = rich(server)
        assert image.removebg(small, key=key).status_code == 503
        assert image.removebg(small).status_code == 200
        assert any("service keys differ" in line.get("event", "") for line in image.log())
    finally:
        image.stop()


def test_an_image_part_of_its_own(tmp_path, server, small):
    """Without any user part: the configuration's keys, and no others."""
    image = Server(tmp_path / "image", services="image", user_service="none")
    try:
        _, key = rich(server)
        assert image.removebg(small).status_code == 200
        assert error(image.removebg(small, key=key)) == (403, "auth_failed")
        assert problem(image.get("/v1/me")) == (404, "not_found")
    finally:
        image.stop()
