# SPDX-License-Identifier: Apache-2.0
"""Other issuers that lie, hang or forge, and answers that are not this browser's."""

import contextlib
import json
import threading
import time

import pytest

from backends import redis_server
from harness import eventually
from hostile_issuer import CLIENT, Key, encode, hmac_with, unsigned
from issuer_visits import (Browser, corp, is_back, is_page, issuers, make_server, newcomer,
                           server)
from people import Person, problem

BACKENDS = ["embedded", "servers"]
__all__ = ["corp", "issuers", "server"]  # fixtures


# Tokens that are not to be believed

def test_wrong_claims(server, corp):
    newcomer(corp)
    now = int(time.time())
    for claims in [{"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": None},
                   {"aud": [CLIENT, "another"]}, {"azp": "another"},
                   {"aud": [CLIENT, "another"], "azp": "another"}, {"iss": "https://evil.example"},
                   {"iss": None}, {"exp": now - 120}, {"exp": None}, {"iat": now + 600},
                   {"iat": None}, {"nbf": now + 600}, {"sub": ""}, {"sub": None}, {"sub": 7},
                   {"sub": "x" * 256}, {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, {"at_hash": 7}]:
        corp.claims = claims
        is_page(Browser(server).sign_in(corp), 403, "cannot be believed"), claims
    corp.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    is_back(Browser(server).sign_in(corp))


@pytest.mark.parametrize("make", [
    unsigned, hmac_with(lambda key: key.pem()),
    hmac_with(lambda key: json.dumps(key.public()).encode()),
    hmac_with(lambda key: b"a secret: of the client"),
    lambda key, claims: Key("RS256", key.kid).token(claims),
    lambda key, claims: Key("ES256", key.kid).token(claims),
    lambda key, claims: key.token(claims)[:-4] + "AAAA",
    lambda key, claims: key.token(claims).rsplit(".", 1)[0] + ".",
    lambda key, claims: "no token", lambda key, claims: ""],
    ids=["none", "hs256-pem", "hs256-jwk", "hs256-secret", "other-key", "other-alg", "changed",
         "cut", "text", "empty"])
def test_forged_tokens(server, corp, make):
    newcomer(corp)
    corp.make_token = make
    is_page(Browser(server).sign_in(corp), 403, "cannot be believed")


def test_key_that_the_header_brings_is_not_used(server, corp):
    newcomer(corp)
    own = Key("RS256", "mine")
    corp.make_token = lambda key, claims: encode(
        {"alg": "RS256", "kid": key.kid, "jwk": own.public(), "jku": corp.url + "/evil"}, claims,
        own.signature)
    is_page(Browser(server).sign_in(corp), 403, "cannot be believed")
    assert "/evil" not in corp.asked


def test_rotated_keys_are_fetched_but_not_again_and_again(server, issuers):
    issuer = issuers.issuers["rotating"]
    issuer.reset()
    newcomer(issuer)
    is_back(Browser(server).sign_in(issuer))
    before = issuer.asked["/jwks"]
    issuer.keys.insert(0, Key("RS256"))
    is_back(Browser(server).sign_in(issuer))
    assert issuer.asked["/jwks"] == before + 1
    is_back(Browser(server).sign_in(issuer))
    assert issuer.asked["/jwks"] == before + 1
    # Within ten seconds a further unknown key is not looked for.
    issuer.make_token = lambda key, claims: Key("RS256").token(claims)
    for _ in range(3):
        is_page(Browser(server).sign_in(issuer), 403, "cannot be believed")
    assert issuer.asked["/jwks"] == before + 1
    assert issuer.asked["/.well-known/openid-configuration"] == 1


# Answers that are not this browser's, this issuer's, or not the first

def state_is_good_once(server, corp):
    newcomer(corp)
    browser = Browser(server)
    asked = browser.start(corp)
    flow = browser.http.cookies["issuer"]
    is_back(browser.come_back(corp, asked))
    is_page(browser.come_back(corp, asked), 400, "Please start again")
    # Also when somebody keeps the cookie.
    browser.http.cookies.set("issuer", flow)
    is_page(browser.come_back(corp, asked), 400, "Please start again")


def test_state_is_good_once(server, corp):
    state_is_good_once(server, corp)


def test_state_is_good_once_while_redis_is_away(start, issuers, corp, tmp_path):
    processes = []
    with redis_server(tmp_path, processes) as cache:
        server = make_server(start, issuers, tmp_path, cache=cache)
        processes[0].terminate()
        processes[0].wait(30)
        state_is_good_once(server, corp)
        assert server.metric("imagesync_cache_up") == 0


def test_state_of_another_browser(server, corp):
    """Login CSRF: a link with somebody else's code signs nobody in."""
    newcomer(corp)
    attacker, victim = Browser(server), Browser(server)
    asked = attacker.start(corp)
    is_page(victim.come_back(corp, asked), 400, "Please start again")
    victim.start(corp)
    is_page(victim.come_back(corp, asked), 400, "Please start again")


@pytest.mark.parametrize("changed", [{"state": None}, {"state": ""}, {"state": "x" * 43}])
def test_wrong_state(server, corp, changed):
    newcomer(corp)
    browser = Browser(server)
    asked = browser.start(corp)
    is_page(browser.come_back(corp, asked, **changed), 400, "Please start again")
    assert "/token" not in corp.asked


def test_changed_cookie(server, corp):
    newcomer(corp)
    browser = Browser(server)
    asked = browser.start(corp)
    flow = browser.http.cookies["issuer"]
    for changed in ("", "x", flow[:-2] + ("AA" if flow[-2:] != "AA" else "BB"), "A" * 4000):
        browser.http.cookies.clear()
        browser.http.cookies.set("issuer", changed)
        is_page(browser.come_back(corp, asked), 400, "Please start again")


def test_mix_up(server, issuers, corp):
    """Another issuer's answer, whoever it is said to come from."""
    other = issuers.issuers["other"]
    other.reset()
    newcomer(corp)
    newcomer(other)
    for iss in (other.url, corp.url + "/", "", None):
        browser = Browser(server)
        asked = browser.start(corp)
        is_page(browser.come_back(corp, asked, iss=iss), 403, "cannot be believed")
        assert "/token" not in corp.asked
    browser = Browser(server)
    asked = browser.start(corp)
    asked["redirect_uri"] = asked["redirect_uri"].replace("/corp/", "/other/")
    is_page(browser.come_back(other, asked), 400, "Please start again")
    assert "/token" not in other.asked


def test_issuer_that_does_not_name_itself(server, issuers):
    issuer = issuers.issuers["quiet"]
    issuer.reset()
    issuer.sends_iss = False
    newcomer(issuer)
    browser = Browser(server)
    is_back(browser.come_back(issuer, browser.start(issuer), iss=None))
    browser = Browser(server)
    is_page(browser.come_back(issuer, browser.start(issuer), iss="https://evil.example"), 403,
            "cannot be believed")


@pytest.mark.parametrize("params", ["code=1&code=2", "error=access_denied", "error=a&error=b", ""])
def test_answers_without_a_code(server, corp, params):
    browser = Browser(server)
    asked = browser.start(corp)
    reply = browser.get(f"{asked['redirect_uri']}?state={asked['state']}&iss={corp.url}&{params}")
    assert reply.status_code == 403 and "session" not in reply.cookies
    assert "/token" not in corp.asked


def test_return_leads_nowhere_else(server, corp):
    newcomer(corp)
    ada = Person(server)
    for path in ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com",
                 "javascript:alert(1)", "", "evil", "/\t/evil.example.com", "\\\\evil", "/a\r\nb",
                 "/" + "x" * 2000]:
        is_back(Browser(server).sign_in(corp, **{"return": path}), "/account")
        reply = ada.call("POST", "/v1/me/identities", {"issuer": "corp", "return": path})
        assert problem(reply) == (400, "invalid_field")


# Issuers that do not do their part

def hang(handler):
    time.sleep(8)


def drip(handler):
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(80):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)


def endless(handler):
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(10_000):
            handler.wfile.write(b" " * 10_000)


def redirect(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.server.site.url + "/corp/token")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


BAD_ANSWERS = [(500, {}), (404, {}), (200, b""), (200, b"garbage"), (200, b"[]"), (200, b"{\"a\":"),
               (200, b"\xff\xfe"), (200, b"{" + b" " * 300_000 + b"}"), (200, {}), endless,
               redirect,
               (200, {"id_token": 7}), (200, b"[" * 100_000)]


@pytest.mark.parametrize("reply", BAD_ANSWERS, ids=range(len(BAD_ANSWERS)))
def test_token_endpoint_that_answers_badly(server, corp, reply):
    newcomer(corp)
    corp.replies["/token"] = reply
    page = Browser(server).sign_in(corp)
    is_page(page, 502, "did not answer as it should")
    assert "Retry" not in page.headers and corp.asked["/token"] == 1


@pytest.mark.parametrize("reply", [hang, drip])
def test_slow_token_endpoint(server, corp, reply):
    newcomer(corp)
    corp.replies["/token"] = reply
    began = time.monotonic()
    is_page(Browser(server).sign_in(corp), 502, "did not answer as it should")
    assert time.monotonic() - began < 7.5


def test_slow_issuers_do_not_hold_up_others(server, corp):
    ada = Person(server)
    newcomer(corp)
    corp.replies["/token"] = hang
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(Browser(server).sign_in(corp)))
               for _ in range(12)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: corp.asked.get("/token", 0) >= 2)
    began = time.monotonic()
    assert ada.call("GET", "/v1/me").status_code == 200
    assert time.monotonic() - began < 3
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} <= {502, 503}


@pytest.mark.parametrize("reply", [(500, {}), (200, b"garbage"), (200, {"sub": None})])
def test_userinfo_that_answers_badly(server, corp, reply):
    newcomer(corp)
    corp.in_userinfo = True
    corp.replies["/userinfo"] = reply
    assert Browser(server).sign_in(corp).status_code in (403, 502)


def test_discovery_of_another_issuer(server, issuers, corp):
    liar = issuers.issuers["liar"]
    liar.reset()
    for claimed in (corp.url, liar.url + "/", None):
        liar.replies["/.well-known/openid-configuration"] = (
            200, {**liar.discovery(), "issuer": claimed})
        is_page(Browser(server).get("/oauth/issuers/liar/start"), 503, "does not answer")
    # A failure is kept for a moment, so that nobody can make us ask and ask.
    assert liar.asked["/.well-known/openid-configuration"] == 1


def test_discovery_that_names_a_plain_endpoint(server, issuers):
    issuer = issuers.issuers["insecure"]
    issuer.reset()
    issuer.replies["/.well-known/openid-configuration"] = (
        200, {**issuer.discovery(), "token_endpoint": "http://issuer.example.com/token"})
    is_page(Browser(server).get("/oauth/issuers/insecure/start"), 503, "does not answer")


@pytest.mark.parametrize("name,key", [
    ("confused", {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
    ("twins", None)])
def test_keys_that_cannot_be_trusted(server, issuers, name, key):
    """A secret among the public keys; two keys of one name."""
    issuer = issuers.issuers[name]
    issuer.reset()
    newcomer(issuer)
    public = issuer.keys[0].public()
    issuer.replies["/jwks"] = (200, {"keys": [public, key or Key("RS256", public["kid"]).public()]})
    is_page(Browser(server).sign_in(issuer), 502, "did not answer as it should")


def test_keys_that_do_not_come(server, issuers):
    issuer = issuers.issuers["broken"]
    issuer.reset()
    newcomer(issuer)
    issuer.replies["/jwks"] = (500, {})
    for _ in range(2):
        is_page(Browser(server).sign_in(issuer), 502, "did not answer as it should")
    assert issuer.asked["/jwks"] == 1
