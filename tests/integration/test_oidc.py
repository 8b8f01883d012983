# SPDX-License-Identifier: Apache-2.0
"""The OpenID Connect provider: the whole code flow, and what must not get through it."""

import base64
import hashlib
import hmac
import html
import json
import re
import secrets
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from authenticator import Passkey
from backends import rows, running
from harness import decode, encode, photo
from people import PASSWORD, Person, problem
from test_accounts import CHEAP, add_totp, totp

SHOP, PHONE, BACKEND, OWN = "shop", "com.example.phone", "backend", "own"
SECRET = "a-secret-of-the-backend-0123456789"
CALLBACK = "https://shop.example.com/callback"
CLIENTS = {"clients": [
    {"id": SHOP, "name": "The <b>Shop</b>", "redirect_uris": [CALLBACK],
     "post_logout_redirect_uris": ["https://shop.example.com/bye"],
     "scope": "openid profile email offline_access account"},
    {"id": PHONE, "name": "Phone", "scope": "openid profile",
     "redirect_uris": ["com.example.phone:/callback", "http://127.0.0.1/cb"]},
    {"id": BACKEND, "name": "Backend", "redirect_uris": ["https://backend.example.com/cb"],
     "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
     "id_token_signed_response_alg": "EdDSA", "scope": "openid email offline_access"},
    {"id": OWN, "name": "Own", "redirect_uris": ["https://own.example.com/cb"], "trusted": True,
     "scope": "openid"},
]}


BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oidc")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, folder, oidc_clients=folder / "clients.json", **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server, name="Ada", locale="en", zone="Europe/London")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """Follows the pages as a person does, without following the redirect to the client."""

    def __init__(self, server, client=SHOP, redirect=CALLBACK, scope="openid profile email"):
        self.server, self.client, self.redirect, self.scope = server, client, redirect, scope
        self.http = requests.Session()

    def start(self, **more):
        self.verifier = b64(secrets.token_bytes(32))
        self.state, self.nonce = secrets.token_urlsafe(8), secrets.token_urlsafe(8)
        asked = {"response_type": "code", "client_id": self.client, "redirect_uri": self.redirect,
                 "scope": self.scope, "state": self.state, "nonce": self.nonce,
                 "code_challenge": b64(hashlib.sha256(self.verifier.encode()).digest()),
                 "code_challenge_method": "S256", **more}
        asked = {name: value for name, value in asked.items() if value is not None}
        return self.http.get(self.server.url + "/oauth/authorize", params=asked, timeout=30,
                             allow_redirects=False)

    @staticmethod
    def form(page):
        action = re.search(r'action="([^"]+)"', page.text).group(1)
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        return action, {name: html.unescape(value) for name, value in hidden}

    def send(self, page, headers=None, **fields):
        action, hidden = self.form(page)
        return self.http.post(self.server.url + action, data={**hidden, **fields}, timeout=60,
                              headers=headers, allow_redirects=False)

    def sign_in(self, page, person, **fields):
        return self.send(page, email=person.address, password=person.password, **fields)

    def answer(self, reply):
        assert reply.status_code == 303, (reply.status_code, reply.text)
        target = urlsplit(reply.headers["Location"])
        return dict(parse_qsl(target.query))

    def code(self, person, **more):
        reply = self.start(**more)
        if "/oauth/sign-in" in reply.text:
            reply = self.sign_in(reply, person)
        if "/oauth/consent" in reply.text:
            reply = self.send(reply, decision="allow")
        answer = self.answer(reply)
        assert answer["state"] == self.state and answer["iss"] == self.server.url
        return answer["code"]

    def redeem(self, code, auth=None, **more):
        fields = {"grant_type": "authorization_code", "code": code, "client_id": self.client,
                  "redirect_uri": self.redirect, "code_verifier": self.verifier, **more}
        return requests.post(self.server.url + "/oauth/token", timeout=30, auth=auth, data={
            name: value for name, value in fields.items() if value is not None})

    def tokens(self, person, **more):
        reply = self.redeem(self.code(person, **more))
        assert reply.status_code == 200, reply.text
        return reply.json()

    def refresh(self, token, **more):
        return requests.post(self.server.url + "/oauth/token", timeout=30, data={
            "grant_type": "refresh_token", "client_id": self.client, "refresh_token": token,
            **more})


def userinfo(server, token):
    return requests.get(server.url + "/oauth/userinfo", timeout=30,
                        headers={"Authorization": "Bearer " + token})


def refused(reply, error, status=400):
    assert (reply.status_code, reply.json()["error"]) == (status, error), reply.text


def verify(server, token):
    """Header and claims of a token whose signature is good by the published keys."""
    header, claims, signature = token.split(".")
    signed = f"{header}.{claims}".encode()
    header = json.loads(unb64(header))
    keys = requests.get(server.url + "/oauth/jwks", timeout=30).json()["keys"]
    (key,) = [key for key in keys if key["kid"] == header["kid"]]
    assert "d" not in key and key["alg"] == header["alg"] and key["use"] == "sig"
    raw = unb64(signature)
    if header["alg"] == "EdDSA":
        ed25519.Ed25519PublicKey.from_public_bytes(unb64(key["x"])).verify(raw, signed)
    else:
        numbers = ec.EllipticCurvePublicNumbers(*(int.from_bytes(unb64(key[name]), "big")
                                                  for name in "xy"), ec.SECP256R1())
        numbers.public_key().verify(
            utils.encode_dss_signature(*(int.from_bytes(raw[at:at + 32], "big")
                                         for at in (0, 32))), signed, ec.ECDSA(hashes.SHA256()))
    return header, json.loads(unb64(claims))


# The flow

def test_discovery(server):
    reply = requests.get(server.url + "/.well-known/openid-configuration", timeout=30)
    found = reply.json()
    assert found["issuer"] == server.url and reply.headers["Access-Control-Allow-Origin"] == "*"
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["response_types_supported"] == ["code"]
    keys = requests.get(found["jwks_uri"], timeout=30).json()["keys"]
    assert sorted(key["alg"] for key in keys) == ["ES256", "EdDSA"]


def test_the_whole_flow(server, ada):
    browser = Browser(server)
    before = int(time.time())
    page = browser.start()
    assert page.status_code == 200 and "<b>Shop" not in page.text
    page = browser.sign_in(page, ada)
    assert "See your e-mail address" in page.text and ada.address in page.text
    answer = browser.answer(browser.send(page, decision="allow"))
    assert answer["state"] == browser.state and answer["iss"] == server.url
    reply = browser.redeem(answer["code"])
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store"
    tokens = reply.json()
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] == 600
    assert tokens["scope"] == "openid profile email" and "refresh_token" not in tokens
    header, claims = verify(server, tokens["id_token"])
    assert header["alg"] == "ES256" and claims["iss"] == server.url and claims["aud"] == SHOP
    assert claims["sub"] == ada.id and claims["nonce"] == browser.nonce
    assert before <= claims["auth_time"] <= claims["iat"] < claims["exp"] and claims["amr"] == ["pwd"]
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == b64(half)
    header, claims = verify(server, tokens["access_token"])
    assert header["typ"] == "at+jwt" and claims["aud"] == server.url
    assert claims["client_id"] == SHOP and claims["exp"] - claims["iat"] == 600
    assert userinfo(server, tokens["access_token"]).json() == {
        "sub": ada.id, "name": "Ada", "locale": "en", "zoneinfo": "Europe/London",
        "email": ada.address, "email_verified": True}


def test_the_picture_goes_with_the_profile(server, ada):
    token = Browser(server).tokens(ada)["access_token"]
    assert "picture" not in userinfo(server, token).json()
    address = server.url + "/oauth/userinfo/picture"

    def show(token, url=address, **headers):
        return requests.get(url, timeout=30, headers={"Authorization": "Bearer " + token, **headers})

    refused(show(token), "not_found", 404)
    put = ada.http.put(server.url + "/v1/me/avatar", data=encode(photo()), timeout=60,
                       headers={"Content-Type": "image/jpeg"})
    assert put.status_code == 200, put.text
    url = userinfo(server, token).json()["picture"]
    assert url.startswith(server.url)
    shown = show(token, url)
    assert shown.status_code == 200 and shown.headers["Content-Type"] == "image/webp"
    assert decode(shown.content).size == (512, 512)
    assert "private" in shown.headers["Cache-Control"]
    assert shown.headers["Access-Control-Allow-Origin"] == "*"
    again = show(token, url, **{"If-None-Match": shown.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")

    other = Browser(server, scope="openid email").tokens(ada)["access_token"]
    assert "picture" not in userinfo(server, other).json()
    refused(show(other, url), "insufficient_scope", 403)
    refused(show("x", url), "invalid_token", 401)
    assert requests.get(url, timeout=30).status_code == 401
    refused(show(Browser(server).tokens(Person(server))["access_token"], url), "not_found", 404)
    assert ada.call("DELETE", "/v1/me/avatar").status_code == 204
    assert "picture" not in userinfo(server, token).json()


def test_consent_is_remembered_for_what_was_allowed(server, ada):
    browser = Browser(server, scope="openid")
    browser.tokens(ada)
    assert "code" in browser.answer(browser.start())
    assert "code" in browser.answer(browser.start(prompt="none"))
    assert browser.answer(browser.start(prompt="none", scope="openid email"))["error"] \
        == "consent_required"
    assert "/oauth/consent" in browser.start(scope="openid email").text
    assert "/oauth/consent" in browser.start(prompt="consent").text


def test_denied(server, ada):
    browser = Browser(server)
    page = browser.sign_in(browser.start(), ada)
    answer = browser.answer(browser.send(page, decision="deny"))
    assert answer["error"] == "access_denied" and answer["state"] == browser.state


def test_prompt_and_max_age(server, ada):
    browser = Browser(server, OWN, "https://own.example.com/cb", "openid")
    assert browser.answer(browser.start(prompt="none"))["error"] == "login_required"
    browser.code(ada)
    assert "code" in browser.answer(browser.start(prompt="none", max_age="600"))
    assert "/oauth/sign-in" in browser.start(prompt="login").text
    page = browser.start(max_age="0")
    assert "/oauth/sign-in" in page.text
    assert "code" in browser.answer(browser.sign_in(page, ada))
    assert browser.answer(browser.start(prompt="none login"))["error"] == "invalid_request"
    assert browser.answer(browser.start(max_age="-1"))["error"] == "invalid_request"


def test_signing_in_anew_takes_the_place_of_the_session(server):
    """Of the same account it is renewed; of another one it ends."""
    ada, bob = Person(server), Person(server)

    def sessions(person):
        listed = person.call("GET", "/v1/sessions").json()["sessions"]
        return {entry["id"] for entry in listed if not entry["current"]}

    def me(token):
        return requests.get(server.url + "/v1/me", timeout=30, cookies={"session": token}).status_code

    browser = Browser(server, scope="openid")
    first = browser.tokens(ada)
    before, cookie = sessions(ada), browser.http.cookies["session"]
    assert len(before) == 1 and me(cookie) == 200
    page = browser.start(prompt="login")
    second = browser.redeem(browser.answer(browser.sign_in(page, ada))["code"]).json()
    assert sessions(ada) == before and me(cookie) == 401
    assert me(browser.http.cookies["session"]) == 200
    old, new = (verify(server, tokens["id_token"])[1] for tokens in (first, second))
    assert old["sid"] == new["sid"] and old["auth_time"] <= new["auth_time"]
    assert userinfo(server, first["access_token"]).status_code == 200  # it is the same session
    cookie = browser.http.cookies["session"]
    wrong = browser.send(browser.start(prompt="login"), email=bob.address, password="not this one")
    assert wrong.status_code == 401 and me(cookie) == 200 and sessions(ada) == before
    browser.sign_in(browser.start(prompt="login"), bob)
    assert sessions(ada) == set() and len(sessions(bob)) == 1 and me(cookie) == 401
    assert userinfo(server, first["access_token"]).status_code == 401
    actions = [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]]
    assert actions[0] == "session.removed"


def test_sign_in_with_second_factor(server, ada):
    secret, codes = add_totp(ada)
    browser = Browser(server, OWN, "https://own.example.com/cb", "openid")
    page = browser.sign_in(browser.start(), ada)
    assert page.status_code == 401 and "authenticator" in page.text
    assert browser.sign_in(page, ada, code="000000").status_code == 401
    tokens = browser.redeem(browser.answer(browser.sign_in(page, ada, code=totp(secret)))["code"])
    assert verify(server, tokens.json()["id_token"])[1]["amr"] == ["pwd", "otp", "mfa"]
    other = Browser(server, OWN, "https://own.example.com/cb", "openid")
    assert "code" in other.answer(other.sign_in(other.start(), ada, code=codes[0]))


def test_wrong_password_is_told_on_the_page(server, ada):
    browser = Browser(server)
    page = browser.send(browser.start(), email=ada.address, password="not this one")
    assert page.status_code == 401 and "Wrong e-mail or password" in page.text
    assert "session" not in browser.http.cookies


@pytest.mark.parametrize("basic", [True, False])
def test_a_client_with_a_secret(server, ada, basic):
    browser = Browser(server, BACKEND, "https://backend.example.com/cb", "openid offline_access")
    for wrong in ("another", ""):
        code = browser.code(ada)
        refused(browser.redeem(code, auth=(BACKEND, wrong)), "invalid_client", 401)
        refused(browser.redeem(code, client_secret=wrong), "invalid_client", 401)
    if basic:
        reply = browser.redeem(code, auth=(BACKEND, SECRET), client_id=None)
    else:
        reply = browser.redeem(code, client_secret=SECRET)
    assert reply.status_code == 200, reply.text
    header, claims = verify(server, reply.json()["id_token"])
    assert header["alg"] == "EdDSA" and claims["aud"] == BACKEND
    # Introspection and revocation of what it was given (RFC 7662, 7009).
    for kind in ("refresh_token", "access_token"):
        told = requests.post(server.url + "/oauth/introspect", auth=(BACKEND, SECRET), timeout=30,
                             data={"token": reply.json()[kind]}).json()
        assert told["active"] and told["sub"] == ada.id and told["client_id"] == BACKEND
    refused(requests.post(server.url + "/oauth/introspect", timeout=30, data={
        "client_id": SHOP, "token": reply.json()["access_token"]}), "invalid_client", 401)
    assert requests.post(server.url + "/oauth/revoke", auth=(BACKEND, SECRET), timeout=30,
                         data={"token": reply.json()["refresh_token"]}).status_code == 200
    for kind in ("refresh_token", "access_token"):
        assert requests.post(server.url + "/oauth/introspect", auth=(BACKEND, SECRET), timeout=30,
                             data={"token": reply.json()[kind]}).json() == {"active": False}


def test_only_its_own_tokens_can_a_client_revoke(server, ada):
    tokens = Browser(server).tokens(ada)
    requests.post(server.url + "/oauth/revoke", auth=(BACKEND, SECRET), timeout=30,
                  data={"token": tokens["access_token"]})
    assert userinfo(server, tokens["access_token"]).status_code == 200
    requests.post(server.url + "/oauth/revoke", timeout=30,
                  data={"client_id": SHOP, "token": tokens["access_token"]})
    assert userinfo(server, tokens["access_token"]).status_code == 401


def test_native_redirects(server, ada):
    for redirect in ("com.example.phone:/callback", "http://127.0.0.1:45678/cb",
                     "http://127.0.0.1/cb"):
        browser = Browser(server, PHONE, redirect, "openid")
        assert browser.tokens(ada)["id_token"]
        # Any program may listen there, so people are asked each time (RFC 8252 8.6).
        assert "/oauth/consent" in browser.start().text


def test_refresh_rotates_and_can_be_narrowed(server, ada):
    browser = Browser(server, scope="openid email offline_access")
    first = browser.tokens(ada)
    second = browser.refresh(first["refresh_token"], scope="openid").json()
    assert second["scope"] == "openid" and second["refresh_token"] != first["refresh_token"]
    assert verify(server, second["id_token"])[1]["sub"] == ada.id
    refused(browser.refresh(second["refresh_token"], scope="openid account"), "invalid_scope")
    third = browser.refresh(second["refresh_token"]).json()
    assert third["scope"] == "openid email offline_access"


def test_the_users_interface_takes_tokens_by_scope(server, ada):
    def call(token, method, path):
        return requests.request(method, server.url + path, timeout=30, json={},
                                headers={"Authorization": "Bearer " + token})
    without = Browser(server).tokens(ada)["access_token"]
    assert problem(call(without, "GET", "/v1/me")) == (403, "forbidden")
    given = Browser(server, scope="openid account").tokens(ada)["access_token"]
    assert call(given, "GET", "/v1/me").json()["id"] == ada.id
    assert problem(call(given, "PUT", "/v1/me/password")) == (403, "forbidden")
    assert problem(call(given, "POST", "/v1/sessions/proof")) == (403, "forbidden")


def test_end_session(server, ada):
    browser = Browser(server)
    hint = browser.tokens(ada)["id_token"]
    url = server.url + "/oauth/end-session"
    bye = {"post_logout_redirect_uri": "https://shop.example.com/bye", "state": "s"}
    page = browser.http.get(url, params={"client_id": SHOP, **bye}, timeout=30)
    assert "Sign out?" in page.text
    wrong = browser.http.get(url, timeout=30, params={
        "id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example.com/"})
    assert wrong.status_code == 400
    assert "code" in browser.answer(browser.start(prompt="none"))
    reply = browser.http.get(url, params={"id_token_hint": hint, **bye}, timeout=30,
                             allow_redirects=False)
    assert reply.headers["Location"] == "https://shop.example.com/bye?state=s"
    assert browser.answer(browser.start(prompt="none"))["error"] == "login_required"


def test_sign_out_everywhere_ends_what_clients_were_given(server, ada):
    browser = Browser(server, scope="openid offline_access")
    tokens = browser.tokens(ada)
    assert ada.call("DELETE", "/v1/sessions").status_code in (200, 204)
    assert userinfo(server, tokens["access_token"]).status_code == 401
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")


# Attacks

def test_replayed_code_takes_back_what_it_gave(server, ada):
    browser = Browser(server, scope="openid offline_access")
    code = browser.code(ada)
    tokens = browser.redeem(code).json()
    refused(browser.redeem(code), "invalid_grant")
    assert userinfo(server, tokens["access_token"]).status_code == 401
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")


def test_reused_refresh_token_revokes_its_family(server, ada):
    browser = Browser(server, scope="openid offline_access")
    first = browser.tokens(ada)
    second = browser.refresh(first["refresh_token"]).json()
    refused(browser.refresh(first["refresh_token"]), "invalid_grant")
    refused(browser.refresh(second["refresh_token"]), "invalid_grant")
    assert userinfo(server, second["access_token"]).status_code == 401
    actions = [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]]
    assert "client.token_reused" in actions and "client.authorized" in actions


def test_made_up_refresh_token_revokes_nothing(server, ada):
    browser = Browser(server, scope="openid offline_access")
    token = browser.tokens(ada)["refresh_token"]
    raw = bytearray(unb64(token))
    raw[-1] ^= 1
    refused(browser.refresh(b64(bytes(raw))), "invalid_grant")
    assert browser.refresh(token).status_code == 200


@pytest.mark.parametrize("more", [
    {"code_challenge": None}, {"code_challenge_method": None}, {"code_challenge_method": "plain"},
    {"code_challenge": "short"}, {"code_challenge": None, "code_challenge_method": None},
])
def test_no_way_around_pkce(server, more):
    browser = Browser(server)
    answer = browser.answer(browser.start(**more))
    assert answer["error"] == "invalid_request" and "code" not in answer


@pytest.mark.parametrize("verifier", ["x" * 43, "short", "challenge", None])
def test_wrong_verifier(server, ada, verifier):
    browser = Browser(server)
    code = browser.code(ada)
    if verifier == "challenge":  # the downgrade to plain
        verifier = b64(hashlib.sha256(browser.verifier.encode()).digest())
    refused(browser.redeem(code, code_verifier=verifier),
            "invalid_grant" if verifier else "invalid_request")


def test_code_of_another_client(server, ada):
    browser = Browser(server)
    code = browser.code(ada)
    refused(browser.redeem(code, client_id=PHONE), "invalid_grant")
    refused(browser.redeem(code, auth=(BACKEND, SECRET), client_id=None), "invalid_grant")
    assert browser.redeem(code).status_code == 200  # and it was not spoilt by that


def test_code_with_another_redirect(server, ada):
    browser = Browser(server)
    refused(browser.redeem(browser.code(ada), redirect_uri=CALLBACK + "x"), "invalid_grant")


@pytest.mark.parametrize("client,redirect", [
    (SHOP, "https://evil.example.com/callback"), (SHOP, CALLBACK + "/"), (SHOP, CALLBACK + "?x"),
    (SHOP, CALLBACK + "/../evil"), (SHOP, "https://shop.example.com@evil.example.com/callback"),
    (SHOP, "https://shop.example.com.evil.example.com/callback"), (SHOP, CALLBACK.upper()),
    (SHOP, "http://shop.example.com/callback"), (SHOP, "//evil.example.com"), (SHOP, None),
    (SHOP, CALLBACK + "#x"), (SHOP, "javascript:alert(1)"), (SHOP, CALLBACK + "\r\nX: y"),
    (SHOP, "https://shop.example.com:444/callback"),
    (PHONE, "http://127.0.0.1:1@evil.example.com/cb"), (PHONE, "http://127.0.0.1.evil.com/cb"),
    (PHONE, "http://127.0.0.1:80x/cb"), (PHONE, "http://127.0.0.1:80/other"),
    (PHONE, "http://127.0.0.1:99999/cb"), (PHONE, "http://localhost:80/cb"),
    (PHONE, "https://127.0.0.1/cb"), ("nobody", CALLBACK),
])
def test_no_open_redirect(server, client, redirect):
    reply = Browser(server, client, redirect).start()
    assert reply.status_code == 400 and "Location" not in reply.headers
    assert reply.headers["Content-Type"].startswith("text/html")


def test_parameters_twice_are_refused(server):
    browser = Browser(server)
    reply = browser.http.get(
        server.url + "/oauth/authorize", timeout=30, allow_redirects=False,
        params=[("client_id", SHOP), ("redirect_uri", CALLBACK), ("redirect_uri", CALLBACK)])
    assert reply.status_code == 400 and "Location" not in reply.headers


def test_forms_come_from_our_own_pages(server, ada):
    browser = Browser(server)
    page = browser.start()
    for headers in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.send(page, headers, email=ada.address,
                            password=PASSWORD).status_code == 403
    assert browser.send(page, token="", email=ada.address, password=PASSWORD).status_code == 403
    # The form of one browser is nothing in another: nobody is signed in to a stranger's account.
    stranger = Browser(server)
    stranger.start()
    assert stranger.sign_in(page, ada).status_code == 403
    consent = browser.sign_in(page, ada)
    for headers in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "same-site"}):
        assert browser.send(consent, headers, decision="allow").status_code == 403
    assert browser.send(consent, token="x" * 43, decision="allow").status_code == 403
    # It confirms what was shown, and nothing else.
    request = browser.form(consent)[1]["request"]
    more = urlencode({**dict(parse_qsl(request)), "scope": "openid account"})
    assert browser.send(consent, request=more, decision="allow").status_code == 403
    mallory = Browser(server)
    mallory.sign_in(mallory.start(), Person(server))
    assert mallory.send(consent, decision="allow").status_code == 403
    assert "code" in browser.answer(browser.send(consent, decision="allow"))


def test_pages_cannot_be_framed_or_scripted(server, ada):
    browser = Browser(server)
    page = browser.start(login_hint='"><script>alert(1)</script>')
    for reply in (page, browser.sign_in(page, ada), Browser(server, "nobody").start()):
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Cache-Control"] == "no-store"
        # "no-referrer" would make browsers say "Origin: null" of the page's own form.
        assert reply.headers["Referrer-Policy"] == "same-origin"
        ours = ['<script type="module" src="/account/oauth-sign-in.js">'] if reply is page else []
        assert re.findall(r"<script[^>]*>", reply.text) == ours
        assert ("script-src 'self';" in policy) == (reply is page) and "unsafe" not in policy
    assert "form-action 'self' https://shop.example.com;" in page.headers["Content-Security-Policy"]


def test_no_session_fixation(server, ada):
    stranger = ada.sign_in().json()["token"]
    browser = Browser(server)
    page = browser.start()
    browser.http.cookies.set("session", stranger, domain="127.0.0.1", path="/")
    page = browser.start(prompt="login")
    browser.sign_in(page, ada)
    fixed = [cookie.value for cookie in browser.http.cookies if cookie.name == "session"]
    assert fixed and fixed[-1] != stranger and len(fixed[-1]) == 86


def forge(claims, header, sign):
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return signed + "." + b64(sign(signed.encode()))


def test_forged_tokens(server, ada):
    token = Browser(server, scope="openid account").tokens(ada)["access_token"]
    header, claims = verify(server, token)
    keys = requests.get(server.url + "/oauth/jwks", timeout=30).json()["keys"]
    (public,) = [key for key in keys if key["kid"] == header["kid"]]
    ours = ec.generate_private_key(ec.SECP256R1())

    def es256(signed):
        r, s = utils.decode_dss_signature(ours.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    numbers = ours.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32, "big")),
           "y": b64(numbers.y.to_bytes(32, "big"))}
    secret = json.dumps(public).encode()
    forged = [
        forge(claims, {**header, "alg": "none"}, lambda signed: b""),
        forge(claims, {**header, "alg": "None"}, lambda signed: b""),
        forge(claims, {**header, "alg": "HS256"},
              lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()),
        forge(claims, {**header, "alg": "HS256"},
              lambda signed: hmac.new(unb64(public["x"]), signed, hashlib.sha256).digest()),
        forge(claims, header, es256),
        forge(claims, {**header, "jwk": jwk}, es256),
        forge(claims, {**header, "alg": "EdDSA"}, es256),
        token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        token.rsplit(".", 1)[0] + ".", token + ".x", "a.b.c", "..",
    ]
    for bad in forged:
        reply = userinfo(server, bad)
        assert reply.status_code == 401 and "invalid_token" in reply.headers["WWW-Authenticate"]
        me = requests.get(server.url + "/v1/me", timeout=30,
                          headers={"Authorization": "Bearer " + bad})
        assert problem(me) == (401, "signed_out")
    assert userinfo(server, token).status_code == 200


def test_id_token_is_no_access_token(server, ada):
    tokens = Browser(server, scope="openid account").tokens(ada)
    assert userinfo(server, tokens["id_token"]).status_code == 401


@pytest.mark.parametrize("fields,error,status", [
    ({"grant_type": "password", "client_id": SHOP}, "unsupported_grant_type", 400),
    ({"client_id": SHOP}, "invalid_request", 400),
    ({"grant_type": "authorization_code", "client_id": SHOP}, "invalid_request", 400),
    ({"grant_type": "refresh_token", "client_id": SHOP, "refresh_token": "' OR 1=1"},
     "invalid_grant", 400),
    ({"grant_type": "refresh_token", "client_id": "nobody", "refresh_token": "x"},
     "invalid_client", 401),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_client", 401),
    ({"grant_type": "refresh_token", "client_id": BACKEND, "refresh_token": "x"},
     "invalid_client", 401),
])
def test_errors_of_the_token_endpoint(server, fields, error, status):
    reply = requests.post(server.url + "/oauth/token", data=fields, timeout=30)
    refused(reply, error, status)
    assert reply.headers["Content-Type"] == "application/json"
    assert ("WWW-Authenticate" in reply.headers) == (status == 401)


@pytest.mark.parametrize("more,error", [
    ({"response_type": "token"}, "unsupported_response_type"), ({"response_type": None},
                                                                "invalid_request"),
    ({"scope": "openid admin"}, "invalid_scope"), ({"scope": None}, "invalid_scope"),
    ({"request": "x.y.z"}, "request_not_supported"), ({"response_mode": "fragment"},
                                                     "invalid_request"),
    ({"request_uri": "https://evil.example.com/"}, "request_uri_not_supported"),
    ({"resource": "https://evil.example.com/"}, "invalid_target"),
])
def test_errors_of_the_authorization_endpoint(server, more, error):
    browser = Browser(server)
    answer = browser.answer(browser.start(**more))
    assert answer["error"] == error and answer["state"] == browser.state
    assert answer["iss"] == server.url


# Keys over time, with the clock set back in the database

def move_keys(server, days):
    rows(server, "UPDATE user_signing_key SET signs_from_us = signs_from_us - "
                 f"{int(days * 86400e6)}")


def kids(server, alg="ES256"):
    keys = requests.get(server.url + "/oauth/jwks", timeout=30).json()["keys"]
    return {key["kid"] for key in keys if key["alg"] == alg}


def test_keys_rotate(backend, tmp_path):
    (tmp_path / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, tmp_path, oidc_clients=tmp_path / "clients.json",
                 public_url="http://issuer.example.com", **CHEAP) as server:
        first = kids(server)
        assert len(first) == 1
        server.stop(), move_keys(server, 89.5), server.start()
        both = kids(server)
        assert len(both) == 2 and first < both  # published, and not signing yet
        person = Person(server)
        browser = Browser(server, OWN, "https://own.example.com/cb", "openid")

        def signs():
            answer = browser.answer(browser.start(prompt="none"))
            token = browser.redeem(answer["code"]).json()["access_token"]
            return json.loads(unb64(token.split(".")[0]))["kid"], token
        browser.sign_in(browser.start(), person)
        kid, token = signs()
        assert {kid} == first
        server.stop(), move_keys(server, 1.5), server.start()
        kid, _ = signs()
        assert kids(server) == both and kid in both - first
        assert userinfo(server, token).status_code == 200  # of the old key, still good
        server.stop(), move_keys(server, 3), server.start()
        assert kids(server) == both - first
        assert userinfo(server, token).status_code == 401


def test_a_passkey_signs_in_on_the_page(server, ada):
    passkey = Passkey()
    options = ada.call("POST", "/v1/me/passkeys/options").json()["publicKey"]
    assert ada.call("POST", "/v1/me/passkeys", {
        "credential": passkey.create(options, server.url)}).status_code == 201
    browser = Browser(server)
    page = browser.start()
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "default-src 'none'" in policy

    def credential(**how):
        challenge = requests.post(server.url + "/v1/passkey-challenges", timeout=30)
        return json.dumps(passkey.get(challenge.json()["publicKey"], server.url, **how))

    for wrong in ("x", "[]", credential(crossOrigin=True), credential(rp_id="evil.example")):
        reply = browser.send(page, credential=wrong)
        assert reply.status_code in (400, 401) and 'role="alert"' in reply.text, wrong
    without = browser.http.post(server.url + "/oauth/sign-in", timeout=30, data={
        "request": browser.form(page)[1]["request"], "credential": credential()})
    assert without.status_code == 403
    consent = browser.send(page, credential=credential())
    assert "/oauth/consent" in consent.text, consent.text
    answer = browser.answer(browser.send(consent, decision="allow"))
    tokens = browser.redeem(answer["code"]).json()
    claims = json.loads(unb64(tokens["id_token"].split(".")[1]))
    assert claims["sub"] == ada.id and claims["amr"] == ["hwk", "mfa"]
