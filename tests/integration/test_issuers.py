# SPDX-License-Identifier: Apache-2.0
"""Signing in with another issuer: what it comes to, and what a hostile one must not get done."""

import contextlib
import html
import json
import re
import sqlite3
import time
from urllib.parse import urlsplit

import pytest
import requests

from backends import embedded, servers
from harness import Server, eventually
from hostile_issuer import CLIENT, IssuerSite, Key, hmac_with, query_of, unsigned
from people import PASSWORD, Person, mails, new_address, problem, wait_for_mail
from test_accounts import CHEAP, add_totp, totp


@pytest.fixture(scope="module")
def issuers():
    site = IssuerSite()
    for name, options in {
            "corp": {}, "other": {"alg": "ES256"}, "ed": {"alg": "EdDSA"},
            "post": {"auth": "client_secret_post"}, "public": {"auth": "none"},
            "rotating": {}, "confused": {}, "liar": {}, "broken": {}, "insecure": {},
            "quiet": {}, "twins": {}}.items():
        site.add(name, **options)
    yield site
    site.close()


@pytest.fixture(scope="module", params=[embedded, servers], ids=["embedded", "servers"])
def server(request, issuers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuers")
    path = folder / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o600)
    for issuer in issuers.issuers.values():
        issuer.reset()
    with request.param(folder) as settings:
        server = Server(folder / "server", issuers=path, welcome_credits=3, **CHEAP, **settings)
        server.embedded = not settings
        yield server
        server.stop()


@pytest.fixture
def corp(issuers):
    issuers.issuers["corp"].reset()
    return issuers.issuers["corp"]


class Browser:
    """Somebody's browser: its cookies, and what it is sent to."""

    def __init__(self, server):
        self.server = server
        self.http = requests.Session()

    def get(self, path, **kwargs):
        return self.http.get(path if "://" in path else self.server.url + path, timeout=60,
                             allow_redirects=False, **kwargs)

    def start(self, issuer, **params):
        """To the issuer: what it is asked for."""
        reply = self.get(f"/oauth/issuers/{issuer.name}/start", params=params)
        assert reply.status_code == 303, reply.text
        return self.sent_to(issuer, reply.headers["Location"])

    @staticmethod
    def sent_to(issuer, location):
        assert location.startswith(issuer.url + "/authorize?")
        asked = query_of(location)
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        return asked

    def come_back(self, issuer, asked, **changed):
        """From the issuer, with a code."""
        params = {"code": issuer.code_for(asked), "state": asked["state"], "iss": issuer.url,
                  **changed}
        return self.get(asked["redirect_uri"], params={
            name: value for name, value in params.items() if value is not None})

    def sign_in(self, issuer, **params):
        return self.come_back(issuer, self.start(issuer, **params))

    def send(self, page, **fields):
        action = re.search(r'action="([^"]+)"', page.text)[1]
        hidden = re.findall(r'type="hidden"[^>]* name="(\w+)" value="([^"]*)"', page.text)
        return self.http.post(
            self.server.url + action, timeout=60, allow_redirects=False,
            data={**{name: html.unescape(value) for name, value in hidden},
                  "decision": "go", **fields})

    def call(self, method, path, body=None):
        return self.http.request(method, self.server.url + path, json=body, timeout=60)

    def me(self):
        return self.call("GET", "/v1/me").json()

    def go(self, method, path, issuer, **more):
        """To the issuer by way of the API, as the account page does."""
        reply = self.call(method, path, {"issuer": issuer.name, **more})
        assert reply.status_code == 200, reply.text
        return self.sent_to(issuer, reply.json()["location"])

    @classmethod
    def of(cls, person):
        """Where that person has signed in with address and password."""
        browser = cls(person.server)
        reply = browser.call("POST", "/v1/sessions",
                             {"email": person.address, "password": person.password})
        assert reply.status_code == 201, reply.text
        return browser


def is_back(reply, path="/account"):
    assert reply.status_code == 303, (reply.status_code, reply.text)
    assert reply.headers["Location"] == path
    assert "session" in reply.cookies
    return True


def is_page(reply, status, words):
    assert reply.status_code == status, (reply.status_code, reply.text)
    assert reply.headers["Content-Type"].startswith("text/html") and words in reply.text
    assert "session" not in reply.cookies
    return True


def newcomer(issuer):
    issuer.person["email"] = new_address()
    return issuer.person["email"]


def actions(browser):
    return [entry["action"] for entry in browser.call("GET", "/v1/me/audit").json()["entries"]]


# The whole way

@pytest.mark.parametrize("name", ["corp", "other", "ed", "post", "public"])
def test_newcomer_gets_an_account(server, issuers, name):
    issuer = issuers.issuers[name]
    issuer.reset()
    address = newcomer(issuer)
    issuer.person.update(name="Grace", locale="en-GB", zoneinfo="Europe/London")
    browser = Browser(server)
    asked = browser.start(issuer)
    assert asked["redirect_uri"] == f"{server.url}/oauth/issuers/{name}/callback"
    is_back(browser.come_back(issuer, asked))
    me = browser.me()
    assert (me["email"], me["name"], me["locale"], me["zone"]) == (
        address, "Grace", "en-GB", "Europe/London")
    assert me["password"] is False
    (session,) = browser.call("GET", "/v1/sessions").json()["sessions"]
    assert session["methods"] == ["issuer"]
    (identity,) = browser.call("GET", "/v1/me/identities").json()["identities"]
    assert (identity["issuer"], identity["email"]) == (name, address)
    assert actions(browser) == ["account.created"]
    assert "elsewhere" in wait_for_mail(server, address).get_content()


def test_welcome_credits_are_those_of_registration(server, corp):
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    made = browser.call("POST", "/v1/api-keys", {"name": "key"})
    assert made.status_code == 201, made.text
    reply = requests.get(server.url + "/v1.0/account", timeout=30,
                         headers={"X-Api-Key": made.json()["key"]})
    assert reply.json()["data"]["attributes"]["credits"]["total"] == 3


def test_known_identity_comes_back_to_its_account(server, corp):
    first = newcomer(corp)
    browser, phone = Browser(server), Browser(server)
    is_back(browser.sign_in(corp))
    # Another address there is no other account here: the subject counts.
    newcomer(corp)
    is_back(phone.sign_in(corp, **{"return": "/account?x=1"}), "/account?x=1")
    assert phone.me()["email"] == first and phone.me()["id"] == browser.me()["id"]
    assert actions(phone)[0] == "session.created"


def test_address_from_userinfo(server, corp):
    address = newcomer(corp)
    corp.in_userinfo = True
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    assert browser.me()["email"] == address


def test_userinfo_of_another_subject_is_not_believed(server, corp):
    newcomer(corp)
    corp.in_userinfo = True
    corp.userinfo_claims = {"sub": "somebody-else"}
    is_page(Browser(server).sign_in(corp), 403, "cannot be believed")


def test_cookies_and_headers(server, corp):
    newcomer(corp)
    browser = Browser(server)
    reply = browser.get(f"/oauth/issuers/{corp.name}/start")
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("issuer=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    state = query_of(reply.headers["Location"])["state"]
    assert state not in cookie and corp.url not in cookie
    back = browser.come_back(corp, query_of(reply.headers["Location"]))
    assert back.headers["Cache-Control"] == "no-store"
    assert "issuer" not in browser.http.cookies


def test_issuers_are_listed(server):
    listed = requests.get(server.url + "/v1/issuers", timeout=30).json()["issuers"]
    assert {"name": "corp", "title": "The corp <issuer>"} in listed


def test_unknown_issuer_is_a_page(server):
    for path in ["/oauth/issuers/nobody/start", "/oauth/issuers/nobody/callback?code=1&state=2"]:
        is_page(Browser(server).get(path), 400, "no such way")


# Accounts that are there

def test_address_of_an_account_is_never_linked_silently(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser(server)
    page = browser.sign_in(corp)
    is_page(page, 200, "There is an account already")
    assert browser.call("GET", "/v1/me").status_code == 401
    is_page(browser.send(page, password="not the password"), 401, "The password is wrong")
    done = browser.send(page, password=ada.password)
    assert done.status_code == 200 and done.headers["Refresh"] == "0;url=/account"
    assert browser.me()["id"] == ada.id
    assert actions(browser)[0] == "identity.added"
    assert eventually(lambda: any("Another way" in mail["Subject"]
                                  for mail in mails(server, ada.address)))
    phone = Browser(server)
    is_back(phone.sign_in(corp))
    assert phone.me()["id"] == ada.id


def test_whoever_is_signed_in_confirms(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser.of(ada)
    page = browser.sign_in(corp)
    is_page(page, 200, "Link them")
    assert 'type="password"' not in page.text
    assert browser.call("GET", "/v1/me/identities").json()["identities"] == []
    assert browser.send(page).status_code == 200
    assert len(browser.call("GET", "/v1/me/identities").json()["identities"]) == 1


def test_being_signed_in_to_another_account_does_not_link(server, corp):
    ada, eve = Person(server), Person(server)
    corp.person["email"] = ada.address
    browser = Browser.of(eve)
    page = browser.sign_in(corp)
    is_page(page, 200, "Sign in and link")
    is_page(browser.send(page), 400, "Please give the password")
    for person in (ada, eve):
        assert person.call("GET", "/v1/me/identities").json()["identities"] == []


def test_cancelling_links_nothing(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser(server)
    page = browser.sign_in(corp)
    is_page(browser.send(page, decision="cancel", password=ada.password), 200, "Nothing was done")
    is_page(browser.send(page, password=ada.password), 403, "Please start again")
    assert ada.call("GET", "/v1/me/identities").json()["identities"] == []


def test_form_of_another_browser_is_refused(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    page = Browser(server).sign_in(corp)
    is_page(Browser(server).send(page, password=ada.password), 403, "Please start again")
    other = Browser(server)
    other.sign_in(corp)
    is_page(other.send(page, password=ada.password), 403, "Please start again")


def test_form_from_another_site_is_refused(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser(server)
    page = browser.sign_in(corp)
    browser.http.headers["Origin"] = "https://evil.example.com"
    is_page(browser.send(page, password=ada.password), 403, "Please start again")


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_unverified_address_opens_and_links_nothing(server, corp, verified):
    ada = Person(server)
    for address in (ada.address, new_address()):
        corp.person.update(email=address, email_verified=verified)
        is_page(Browser(server).sign_in(corp), 403, "Your address is not confirmed")
        reply = requests.post(server.url + "/v1/sessions", timeout=60,
                              json={"email": address, "password": PASSWORD})
        assert (reply.status_code == 201) == (address == ada.address)


@pytest.mark.parametrize("address", ["", "no address", "gr\u00e4ce@example.com", "x" * 300 + "@a.b"])
def test_addresses_that_cannot_be_used(server, corp, address):
    corp.person["email"] = address
    is_page(Browser(server).sign_in(corp), 403, "Your address is not confirmed")


def test_another_subject_with_the_same_address_is_asked(server, corp):
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    corp.person["sub"] = "recycled"
    is_page(Browser(server).sign_in(corp), 200, "There is an account already")


def test_subjects_of_two_issuers_are_two_people(server, issuers, corp):
    other = issuers.issuers["other"]
    other.reset()
    other.person["sub"] = corp.person["sub"]
    newcomer(corp)
    newcomer(other)
    first, second = Browser(server), Browser(server)
    is_back(first.sign_in(corp))
    is_back(second.sign_in(other))
    assert first.me()["id"] != second.me()["id"]


def test_locked_account_stays_out(server, corp):
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    me = browser.me()
    with admin(server) as staff:
        assert staff.call("PATCH", f"/v1/admin/users/{me['id']}",
                          {"status": "locked"}).status_code == 200
    is_page(Browser(server).sign_in(corp), 403, "Account locked")


@contextlib.contextmanager
def admin(server):
    import subprocess
    from harness import BINARY
    person = Person(server)
    environment = dict(server.environment)
    done = subprocess.run([BINARY, "users", "role", person.address, "admin", "--data",
                           server.data], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    yield person


# The second factor

@pytest.fixture
def with_totp(server, corp):
    """A browser of somebody whose account asks for codes, and the secret."""
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    secret, _ = add_totp(browser)
    return browser, secret


@pytest.fixture(autouse=True)
def _address_of_browsers(monkeypatch):
    """add_totp() asks for a person's address; browsers have their account's."""
    monkeypatch.setattr(Browser, "address", property(lambda self: self.me()["email"]),
                        raising=False)


def test_second_factor_is_asked_for(server, corp, with_totp):
    _, secret = with_totp
    browser = Browser(server)
    page = browser.sign_in(corp, **{"return": "/account?after"})
    is_page(page, 200, "One more step")
    assert browser.call("GET", "/v1/me").status_code == 401
    is_page(browser.send(page, code="000000"), 401, "The code is wrong")
    done = browser.send(page, code=totp(secret))
    assert done.status_code == 200 and done.headers["Refresh"] == "0;url=/account?after"
    (session, *_) = [one for one in browser.call("GET", "/v1/sessions").json()["sessions"]
                     if one["current"]]
    assert session["methods"] == ["totp", "issuer"]
    assert "session.refused" in actions(browser)
    is_page(browser.send(page, code=totp(secret)), 403, "Please start again")


def test_codes_cannot_be_guessed_at(server, corp, with_totp):
    browser = Browser(server)
    page = browser.sign_in(corp)
    replies = [browser.send(page, code=f"{n:06}").status_code for n in range(8)]
    assert replies[0] == 401 and replies[-1] == 429


# Adding, removing, proving

def test_adding_from_the_account_page(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser.of(ada)
    asked = browser.go("POST", "/v1/me/identities", corp, **{"return": "/account#identities"})
    reply = browser.come_back(corp, asked)
    assert (reply.status_code, reply.headers.get("Location")) == (303, "/account#identities")
    assert browser.me()["id"] == ada.id
    assert len(browser.call("GET", "/v1/me/identities").json()["identities"]) == 1
    asked = browser.go("POST", "/v1/me/identities", corp)
    is_page(browser.come_back(corp, asked), 409, "linked already")


def test_adding_needs_the_same_address(server, corp):
    ada = Person(server)
    newcomer(corp)
    browser = Browser.of(ada)
    asked = browser.go("POST", "/v1/me/identities", corp)
    is_page(browser.come_back(corp, asked), 403, "It has another address")
    corp.person.update(email=ada.address, email_verified=False)
    asked = browser.go("POST", "/v1/me/identities", corp)
    is_page(browser.come_back(corp, asked), 403, "another address")
    assert browser.call("GET", "/v1/me/identities").json()["identities"] == []


def test_identity_of_another_account_cannot_be_added(server, corp):
    newcomer(corp)
    is_back(Browser(server).sign_in(corp))
    ada = Person(server)
    browser = Browser.of(ada)
    asked = browser.go("POST", "/v1/me/identities", corp)
    is_page(browser.come_back(corp, asked), 409, "another account")


def test_adding_goes_to_the_session_that_began_it(server, corp):
    ada, eve = Person(server), Person(server)
    corp.person["email"] = eve.address
    browser = Browser.of(ada)
    asked = browser.go("POST", "/v1/me/identities", corp)
    for name, value in Browser.of(eve).http.cookies.items():
        if name == "session":
            browser.http.cookies.set(name, value, domain=urlsplit(server.url).hostname, path="/")
    reply = browser.come_back(corp, asked)
    assert reply.status_code == 403 and eve.call(
        "GET", "/v1/me/identities").json()["identities"] == []


def test_adding_and_removing_need_a_fresh_proof(start, issuers, corp, tmp_path):
    server = make_server(start, issuers, tmp_path)
    newcomer(corp)
    browser = Browser(server)
    corp.claims = {"auth_time": int(time.time()) - 3600}
    is_back(browser.sign_in(corp))
    reply = browser.call("POST", "/v1/me/identities", {"issuer": "corp"})
    assert problem(reply) == (403, "reauthentication_required")
    (identity,) = browser.call("GET", "/v1/me/identities").json()["identities"]
    reply = browser.call("DELETE", f"/v1/me/identities/{identity['id']}")
    assert problem(reply) == (403, "reauthentication_required")


def make_server(start, issuers, folder, **settings):
    path = folder / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o600)
    return start(issuers=path, **CHEAP, **settings)


def test_removing(server, corp):
    ada = Person(server)
    corp.person["email"] = ada.address
    browser = Browser.of(ada)
    browser.come_back(corp, browser.go("POST", "/v1/me/identities", corp))
    (identity,) = browser.call("GET", "/v1/me/identities").json()["identities"]
    path = f"/v1/me/identities/{identity['id']}"
    eve = Person(server)
    assert problem(eve.call("DELETE", path)) == (404, "not_found")
    assert browser.call("DELETE", path).status_code == 204
    assert problem(browser.call("DELETE", path)) == (404, "not_found")
    assert browser.call("GET", "/v1/me/identities").json()["identities"] == []
    assert actions(browser)[0] == "identity.removed"
    is_page(Browser(server).sign_in(corp), 200, "There is an account already")


def test_the_last_way_in_stays(server, corp):
    address = newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    (identity,) = browser.call("GET", "/v1/me/identities").json()["identities"]
    path = f"/v1/me/identities/{identity['id']}"
    assert problem(browser.call("DELETE", path)) == (409, "conflict")
    assert browser.call("PUT", "/v1/me/password", {"password": PASSWORD}).status_code == 204
    assert browser.call("DELETE", path).status_code == 204
    reply = requests.post(server.url + "/v1/sessions", timeout=60,
                          json={"email": address, "password": PASSWORD})
    assert reply.status_code == 201


def test_no_password_signs_in_to_an_account_without_one(server, corp):
    address = newcomer(corp)
    is_back(Browser(server).sign_in(corp))
    for password in ("", " ", PASSWORD):
        reply = requests.post(server.url + "/v1/sessions", timeout=60,
                              json={"email": address, "password": password})
        assert problem(reply) == (401, "wrong_credentials")


@pytest.fixture
def stale(server, corp):
    """A browser whose session was proved an hour ago, as the issuer says."""
    newcomer(corp)
    corp.claims = {"auth_time": int(time.time()) - 3600}
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    corp.claims = {}
    assert problem(change_password(browser)) == (403, "reauthentication_required")
    return browser


def change_password(browser):
    return browser.call("PUT", "/v1/me/password", {"password": PASSWORD})


def test_proof_is_renewed_by_the_issuer(server, corp, stale):
    asked = stale.go("POST", "/v1/sessions/proof/issuer", corp)
    assert asked["prompt"] == "login" and asked["max_age"] == "0"
    reply = stale.come_back(corp, asked)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/account")
    assert change_password(stale).status_code == 204


@pytest.mark.parametrize("auth_time", [None, "old", "now"])
def test_being_signed_in_there_is_no_fresh_proof(server, corp, stale, auth_time):
    asked = stale.go("POST", "/v1/sessions/proof/issuer", corp)
    corp.claims = {"auth_time": {None: None, "old": int(time.time()) - 600,
                                 "now": str(int(time.time()))}[auth_time]}
    is_page(stale.come_back(corp, asked), 403, "cannot be believed")
    assert problem(change_password(stale)) == (403, "reauthentication_required")


def test_proof_of_somebody_else_is_none(server, corp, stale):
    asked = stale.go("POST", "/v1/sessions/proof/issuer", corp)
    corp.person = {"sub": "eve", "email": new_address(), "email_verified": True}
    is_page(stale.come_back(corp, asked), 403, "somebody else")
    assert problem(change_password(stale)) == (403, "reauthentication_required")


def test_issuer_that_does_not_say_when_gives_no_fresh_session(server, corp):
    newcomer(corp)
    corp.claims = {"auth_time": None}
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    assert problem(change_password(browser)) == (403, "reauthentication_required")


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
    from hostile_issuer import encode
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

def test_state_is_good_once(server, corp):
    newcomer(corp)
    browser = Browser(server)
    asked = browser.start(corp)
    flow = browser.http.cookies["issuer"]
    is_back(browser.come_back(corp, asked))
    is_page(browser.come_back(corp, asked), 400, "Please start again")
    # Also when somebody keeps the cookie.
    browser.http.cookies.set("issuer", flow)
    is_page(browser.come_back(corp, asked), 400, "Please start again")


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
    for path in ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com",
                 "javascript:alert(1)", "", "evil", "/\t/evil.example.com", "\\\\evil", "/a\r\nb",
                 "/" + "x" * 2000]:
        is_back(Browser(server).sign_in(corp, **{"return": path}), "/account")
        ada = getattr(test_return_leads_nowhere_else, "ada", None)
        if ada is None or ada.server is not server:
            ada = test_return_leads_nowhere_else.ada = Person(server)
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
               (200, b"\xff\xfe"), (200, b"{" + b" " * 300_000 + b"}"), (200, {}), endless, redirect,
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
    import threading
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


# What the operator decides

def test_registration_may_be_closed(start, issuers, corp, tmp_path):
    server = make_server(start, issuers, tmp_path, registration="no")
    newcomer(corp)
    is_page(Browser(server).sign_in(corp), 403, "There is no account")


def test_issuer_without_registration(start, issuers, corp, tmp_path):
    path = tmp_path / "issuers.json"
    configuration = issuers.configuration()
    configuration["issuers"][0]["registration"] = False
    path.write_text(json.dumps(configuration))
    path.chmod(0o600)
    server = start(issuers=path, **CHEAP)
    newcomer(corp)
    is_page(Browser(server).sign_in(corp), 403, "There is no account")
    ada = Person(server)
    corp.person["email"] = ada.address
    is_page(Browser(server).sign_in(corp), 200, "There is an account already")


def test_private_networks_have_to_be_allowed(start, issuers, corp, tmp_path):
    path = tmp_path / "issuers.json"
    configuration = issuers.configuration()
    del configuration["allow"]
    path.write_text(json.dumps(configuration))
    path.chmod(0o600)
    server = start(issuers=path, **CHEAP)
    is_page(Browser(server).get("/oauth/issuers/corp/start"), 503, "does not answer")
    assert corp.asked == {}


@pytest.mark.parametrize("change,words", [
    ({"name": "Corp"}, "name"), ({"title": ""}, "title"), ({"scope": "email"}, "scope"),
    ({"issuer": "http://login.example.com"}, "issuer"), ({"issuer": "https://a.example?x"}, "issuer"),
    ({"issuer": "https://user@a.example"}, "issuer"), ({"client_id": None}, "client_id"),
    ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_method"),
    ({"more": 1}, "more")])
def test_wrong_configuration_is_said(start, issuers, tmp_path, change, words):
    path = tmp_path / "issuers.json"
    issuer = {**issuers.configuration()["issuers"][0], **change}
    path.write_text(json.dumps({"issuers": [{name: value for name, value in issuer.items()
                                             if value is not None}]}))
    path.chmod(0o600)
    with pytest.raises(RuntimeError) as failure:
        start(issuers=path)
    assert "--issuers" in str(failure.value) and words in str(failure.value)


def test_secrets_that_others_can_read_are_refused(start, issuers, tmp_path):
    path = tmp_path / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o644)
    with pytest.raises(RuntimeError) as failure:
        start(issuers=path)
    assert "chmod" in str(failure.value)


# What lies in the database

def test_identities_are_unreadable_at_rest(server, corp):
    if not server.embedded:
        pytest.skip("looks into the database's file")
    address = newcomer(corp)
    is_back(Browser(server).sign_in(corp))
    with sqlite3.connect(f"file:{server.data / 'imagesync.db'}?mode=ro", uri=True) as database:
        text = "\n".join(database.iterdump())
        owned = database.execute("SELECT COUNT(*) FROM user_identity i JOIN user_identity_owner o "
                                 "ON o.user_id = i.user_id AND o.identity_hash = i.identity_hash"
                                 ).fetchone()[0]
        assert owned == database.execute("SELECT COUNT(*) FROM user_identity").fetchone()[0] > 0
    for secret in (address, corp.person["sub"], corp.url):
        assert secret not in text and secret.encode().hex() not in text.lower()
