# SPDX-License-Identifier: Apache-2.0
"""What strangers try at every route that api/openapi.yaml has: requests of other sites, members that
are not theirs to set, sessions that were planted, links that lead elsewhere."""

import json
import time

import pytest
import requests

import walk
from backends import kept, rows, running
from people import PASSWORD, Person, browser, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP, add_totp, totp
from test_api_keys import operator
from test_oidc import CLIENTS, SHOP, Browser
from walk import OPERATIONS, OURS, send

BACKENDS = ["embedded", "servers"]
# By a client's own credentials, or with nothing: no cookie is looked at.
WITHOUT_COOKIE = ("/oauth/token", "/oauth/userinfo", "/oauth/revoke", "/oauth/introspect",
                  "/oauth/device-authorization", "/v1/shared/{token}/unlock")


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, folder, oidc_clients=folder / "clients.json", megapixels_per_minute=0,
                 **CHEAP) as server:
        yield server


def admin_of(server):
    person = Person(server)
    done = operator(server, "role", person.address, "admin")
    assert done.returncode == 0, done.stderr
    return person


# Requests of other sites

def signed_in(server, person):
    http = browser(server)
    reply = http.post(server.url + "/v1/sessions", timeout=60, json={
        "email": person.address, "password": PASSWORD})
    assert reply.status_code == 201, reply.text
    # What pages set besides.
    assert http.get(server.url + "/oauth/device", timeout=30).status_code == 200
    del http.headers["Origin"]
    return http


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
], ids=str)
def test_no_other_site_acts_by_a_cookie(server, headers):
    http = signed_in(server, admin_of(server))
    before = kept(server)
    for operation in OPERATIONS:
        if not operation.changes or operation.pictures or operation.path in WITHOUT_COOKIE:
            continue
        reply = send(server, operation, http, headers=headers)
        if operation in OURS:
            assert problem(reply) == (403, "cross_site"), operation.name
        elif reply.status_code == 303:  # a form that is read as a link, which does nothing
            assert reply.headers["Location"].startswith(("/oauth/", walk.PLAUSIBLE["redirect_uri"]))
            assert "Set-Cookie" not in reply.headers
        else:
            assert reply.status_code in (400, 403), (operation.name, reply.text)
        assert "session=" not in reply.headers.get("Set-Cookie", ""), operation.name
    assert kept(server) == before
    assert http.get(server.url + "/v1/me", timeout=30).status_code == 200


def test_its_own_pages_do(server):
    """That the walk above is refused for where it comes from, and for nothing else."""
    admin = admin_of(server)
    for operation in OURS:
        if operation.changes:
            reply = send(server, operation, signed_in(server, admin) if admin.call(
                "GET", "/v1/me").status_code == 200 else signed_in(server, admin_of(server)),
                headers={"Origin": server.url})
            assert "cross_site" not in reply.text, operation.name
            assert reply.status_code < 500, operation.name
            if operation.path == "/v1/me/password":
                admin = admin_of(server)


def test_a_token_needs_no_origin(server):
    person = Person(server)
    assert person.call("POST", "/v1/me/totp", headers={"Cookie": "session=x"}).status_code == 200


# Members that are not theirs to set

PRIVILEGED = {"role": "admin", "user_id": "01890000-0000-7000-8000-000000000001", "credits": 1000,
              "balance": 1000, "version": 99, "email_verified": True, "id": "x", "created": 0,
              "methods": 31, "__proto__": {"role": "admin"}, "Role": "admin", "totp": False}


def test_nobody_sets_what_is_not_asked_for(server):
    person, other = Person(server), Person(server)
    looked_at = 0
    for operation in OURS:
        if operation.type != walk.JSON:
            continue
        etag = person.call("GET", "/v1/me").headers["ETag"]
        for name, value in PRIVILEGED.items():
            path, request = operation.request()
            body = {name: value, **request["json"]} if name in operation.members() else {
                **request["json"], name: value}
            if name in operation.members():
                continue
            reply = person.call(operation.method, path, body,
                                headers={**request["headers"], "If-Match": etag})
            if operation.path.startswith("/v1/admin/"):
                assert problem(reply) == (403, "forbidden"), operation.name
                continue
            assert problem(reply) == (400, "invalid_field"), (operation.name, name)
            looked_at += 1
    assert looked_at > 100
    for each in (person, other):
        me = each.call("GET", "/v1/me").json()
        assert me["role"] == "user" and me["email"] == each.address and me["id"] == each.id
    assert person.call("GET", "/v1/me").headers["ETag"] == etag
    roles = rows(server, "SELECT role FROM user_account")
    assert (0,) in roles and all(role == (2,) or role == (0,) for role in roles)
    assert rows(server, "SELECT balance FROM user_credit WHERE balance > 0") == []
    # In the query neither.
    query = f"?user_id={other.id}&id={other.id}&role=admin"
    assert person.call("GET", "/v1/me" + query).json()["id"] == person.id
    assert person.call("GET", "/v1/api-keys" + query).json()["keys"] == []


def test_staff_sets_no_more_than_is_asked_for(server):
    admin, person = admin_of(server), Person(server)
    for path, body in ((f"/v1/admin/users/{person.id}", {"status": "active"}),
                       (f"/v1/admin/users/{person.id}/credits", {"amount": 1, "reason": "r"})):
        method = "PATCH" if "status" in body else "POST"
        for name, value in PRIVILEGED.items():
            reply = admin.call(method, path, {**body, name: value})
            assert problem(reply) == (400, "invalid_field"), (path, name)
    assert person.call("GET", "/v1/me").json()["role"] == "user"


# Sessions that were planted

def test_a_planted_session_is_not_what_is_signed_in_to(server):
    """Whatever a stranger has put into the browser before is worth nothing afterwards."""
    eve, ada = Person(server), Person(server)
    theirs = eve.sign_in().json()["token"]
    for planted in (theirs, "A" * 86, "x", ""):
        http = browser(server)
        http.cookies.set("session", planted, domain="127.0.0.1", path="/")
        reply = http.post(server.url + "/v1/sessions", timeout=60, json={
            "email": ada.address, "password": PASSWORD})
        assert reply.status_code == 201
        given = reply.cookies["session"]
        assert given != planted and len(given) == 86
        known = requests.get(server.url + "/v1/me", cookies={"session": planted}, timeout=30)
        assert known.status_code == 401 or known.json()["id"] == eve.id
        assert requests.get(server.url + "/v1/me", cookies={"session": given},
                            timeout=30).json()["id"] == ada.id


def test_a_planted_session_is_not_what_is_registered_with(server):
    eve, address = Person(server), new_address()
    http = browser(server)
    planted = eve.sign_in().json()["token"]
    http.cookies.set("session", planted, domain="127.0.0.1", path="/")
    assert http.post(server.url + "/v1/registrations", json={"email": address},
                     timeout=30).status_code == 202
    reply = http.post(server.url + "/v1/registrations/complete", timeout=60, json={
        "token": token_in(wait_for_mail(server, address)), "password": PASSWORD})
    assert reply.status_code == 201 and reply.cookies["session"] != planted
    assert requests.get(server.url + "/v1/me", cookies={"session": planted},
                        timeout=30).json()["id"] == eve.id


def test_a_session_is_not_taken_from_elsewhere(server):
    """Nobody can be sent a link, or a form, with a session in it."""
    token = Person(server).sign_in().json()["token"]
    for query in ("session", "token", "access_token"):
        reply = requests.get(server.url + "/v1/me", params={query: token}, timeout=30)
        assert problem(reply) == (401, "signed_out")


# Links that lead elsewhere

ELSEWHERE = ["https://evil.example", "//evil.example", "/\\evil.example", "https:evil.example",
             "https://shop.example.com/bye@evil.example", "https://shop.example.com/bye/../x",
             "https://shop.example.com/bye?x", "https://shop.example.com/bye#x",
             "https://shop.example.com.evil.example/bye", "http://shop.example.com/bye",
             "javascript:alert(1)", "https://shop.example.com/callback", "\thttps://evil.example"]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_out_leads_nowhere_else(server, target):
    for client in ({"client_id": SHOP}, {}):
        asked = {**client, "post_logout_redirect_uri": target}
        for reply in (requests.get(server.url + "/oauth/end-session", params=asked, timeout=30,
                                   allow_redirects=False),
                      requests.post(server.url + "/oauth/end-session", data=asked, timeout=30)):
            assert reply.status_code == 400 and "Location" not in reply.headers
            assert reply.url.startswith(server.url), reply.url


@pytest.mark.parametrize("target", ELSEWHERE[:5])
def test_no_parameter_leads_to_another_site(server, target):
    """Wherever one may be read as a place to go to."""
    person = Person(server)
    page = Browser(server)
    page.code(person)  # signed in, and consent was given
    for operation in OPERATIONS:
        if operation.changes or operation.pictures:
            continue
        path, _ = operation.request()
        for name in ("next", "return", "redirect", "redirect_uri", "url", "continue", "state",
                     "post_logout_redirect_uri", "login_hint", "back"):
            reply = page.http.get(server.url + path, params={name: target}, timeout=30,
                                  allow_redirects=False)
            assert "evil.example" not in reply.headers.get("Location", ""), (path, name)
            assert "evil.example" not in reply.headers.get("Refresh", ""), (path, name)


# Clocks

def test_codes_of_a_clock_that_is_a_step_off(server):
    person = Person(server)
    secret, _ = add_totp(person)  # by the step before, which is used up
    results = {}
    while len(results) < 4:
        step, results = int(time.time()) // 30, {}
        for offset in (-2, 2, 1, 0):
            results[offset] = person.sign_in(code=totp(secret, (step + offset) * 30)).status_code
            if int(time.time()) // 30 != step:  # it went on meanwhile: once more
                person = Person(server)
                secret, results = add_totp(person)[0], {}
                break
    assert results[-2] == results[2] == 401 and results[1] == 201
    assert results[0] == 401, "what came before a code that was used is used up, too"
