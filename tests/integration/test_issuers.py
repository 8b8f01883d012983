# SPDX-License-Identifier: Apache-2.0
"""Signing in with another issuer: what it comes to, and what the operator decides."""

import contextlib
import json
import sqlite3
import subprocess
import time
from urllib.parse import urlsplit

import pytest
import requests

from harness import BINARY, eventually
from hostile_issuer import query_of
from issuer_visits import (Browser, actions, corp, is_back, is_page, issuers, make_server, newcomer,
                           server)
from people import PASSWORD, Person, mails, new_address, problem, wait_for_mail
from test_accounts import CHEAP, add_totp, totp

BACKENDS = ["embedded", "servers"]
__all__ = ["corp", "issuers", "server"]  # fixtures


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


def test_a_browser_that_comes_again_keeps_one_session(server, corp):
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    before = browser.http.cookies["session"]
    is_back(browser.sign_in(corp))
    assert browser.http.cookies["session"] != before
    assert len(browser.call("GET", "/v1/sessions").json()["sessions"]) == 1


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


@pytest.mark.parametrize("address", ["", "no address", "gr\u00e4ce@example.com",
                                     "x" * 300 + "@a.b"])
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


def test_cookies_over_tls_are_bound_to_the_host(start, issuers, corp, tmp_path):
    server = make_server(start, issuers, tmp_path, public_url="https://photos.example.com")
    reply = Browser(server).get(f"/oauth/issuers/{corp.name}/start")
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-issuer=") and "Secure" in cookie and "Path=/" in cookie
    assert "Domain" not in cookie
    assert query_of(reply.headers["Location"])["redirect_uri"] == (
        f"https://photos.example.com/oauth/issuers/{corp.name}/callback")


@pytest.mark.parametrize("change,words", [
    ({"name": "Corp"}, "name"), ({"title": ""}, "title"), ({"scope": "email"}, "scope"),
    ({"issuer": "http://login.example.com"}, "issuer"),
    ({"issuer": "https://a.example?x"}, "issuer"),
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
