# SPDX-License-Identifier: Apache-2.0
"""OAuth clients as admins keep them: made, changed and taken out while servers run."""

import contextlib
import json
import os
import subprocess

import pytest
import requests

from backends import embedded, servers
from harness import BINARY, Server
from people import Person, problem
from test_accounts import CHEAP
from test_device_grant import Device, Reader
from test_oidc import Browser, refused, userinfo

CALLBACK = "https://desk.example.com/callback"
CONFIGURED = {"clients": [{"id": "fixed", "name": "Fixed", "redirect_uris": [CALLBACK]}]}
DESK = {"id": "desk", "name": "The desk", "redirect_uris": [CALLBACK],
        "scope": "openid email offline_access"}


@contextlib.contextmanager
def two_processes(folder, backend):
    """Two servers on one database, under one address each."""
    (folder / "clients.json").write_text(json.dumps(CONFIGURED))
    with backend(folder) as settings, contextlib.ExitStack() as stack:
        settings = {"database": f"sqlite:{folder}/shared.db", **settings, **CHEAP,
                    "oidc_clients": folder / "clients.json", "device_poll_s": 1,
                    "master_key": folder / "master.key"}
        found = []
        for name in ("first", "second"):
            found.append(Server(folder / name, **settings))
            stack.callback(found[-1].stop)
        yield found


@pytest.fixture(scope="module", params=[embedded, servers], ids=["embedded", "servers"])
def both(request, tmp_path_factory):
    with two_processes(tmp_path_factory.mktemp("clients"), request.param) as found:
        yield found


@pytest.fixture(scope="module")
def server(both):
    return both[0]


@pytest.fixture(scope="module")
def admin(server):
    person = Person(server)
    environment = {name: value for name, value in server.environment.items()
                   if name in os.environ or name in ("IMAGESYNC_DATABASE", "IMAGESYNC_MASTER_KEY")}
    subprocess.run([BINARY, "users", "role", person.address, "admin", "--data", server.data],
                   env=environment, check=True, timeout=60, capture_output=True)
    return person


@pytest.fixture
def desk(admin):
    """The client, taken out after the test."""
    reply = admin.call("POST", "/v1/admin/clients", DESK)
    assert reply.status_code == 201, reply.text
    yield reply
    admin.call("DELETE", "/v1/admin/clients/desk")


def put(admin, version, **members):
    body = {name: value for name, value in {**DESK, **members}.items() if name != "id"}
    headers = {} if version is None else {"If-Match": version}
    return admin.call("PUT", "/v1/admin/clients/desk", body, headers=headers)


def test_made_seen_and_used_by_every_process(both, admin, desk):
    assert desk.json() == {
        **DESK, "post_logout_redirect_uris": [], "id_token_signed_response_alg": "ES256",
        "device_grant": False, "trusted": False, "confidential": False, "source": "admin",
        "created": desk.json()["created"], "changed": desk.json()["created"]}
    assert desk.headers["ETag"] == '"1"'
    listed = admin.call("GET", "/v1/admin/clients").json()["clients"]
    assert {client["id"]: client["source"] for client in listed} == {
        "fixed": "configuration", "imagesync-cli": "configuration", "desk": "admin"}
    for server in both:
        person = Person(server)
        tokens = Browser(server, "desk", CALLBACK, DESK["scope"]).tokens(person)
        assert userinfo(server, tokens["access_token"]).json()["email"] == person.address


def test_a_secret_is_shown_once_and_can_be_renewed(server, admin):
    made = admin.call("POST", "/v1/admin/clients", {**DESK, "confidential": True})
    secret = made.json()["secret"]
    try:
        seen = admin.call("GET", "/v1/admin/clients/desk")
        for text in (seen.text, admin.call("GET", "/v1/admin/clients").text):
            assert secret not in text and "secret" not in text.replace("secret_renewed", "")
        browser, ada = Browser(server, "desk", CALLBACK, "openid"), Person(server)
        refused(browser.redeem(browser.code(ada)), "invalid_client", 401)
        assert browser.redeem(browser.code(ada), client_secret=secret).status_code == 200
        renewed = admin.call("POST", "/v1/admin/clients/desk/secret")
        assert renewed.status_code == 200 and renewed.headers["ETag"] == '"2"'
        refused(browser.redeem(browser.code(ada), client_secret=secret), "invalid_client", 401)
        assert browser.redeem(browser.code(ada), client_secret=renewed.json()["secret"]
                              ).status_code == 200
        # A change of the rest leaves it as it is.
        assert put(admin, '"2"', name="Another").json()["confidential"] is True
        assert browser.redeem(browser.code(ada), client_secret=renewed.json()["secret"]
                              ).status_code == 200
        database = server.environment["IMAGESYNC_DATABASE"].removeprefix("sqlite:")
        if os.path.exists(database):
            with open(database, "rb") as file:
                assert secret.encode() not in file.read()
    finally:
        assert admin.call("DELETE", "/v1/admin/clients/desk").status_code == 204


def test_a_public_client_has_no_secret(admin, desk):
    assert problem(admin.call("POST", "/v1/admin/clients/desk/secret")) == (409, "conflict")
    assert "secret" not in desk.json()


def test_changes_are_felt_at_once(both, admin, desk):
    first, second = both
    elsewhere = "https://elsewhere.example.com/callback"
    assert problem(put(admin, None)) == (428, "version_required")
    assert problem(put(admin, '"7"')) == (412, "stale_version")
    changed = put(admin, '"1"', redirect_uris=[elsewhere], device_grant=True)
    assert changed.status_code == 200 and changed.headers["ETag"] == '"2"'
    assert problem(put(admin, '"1"')) == (412, "stale_version")
    assert Browser(second, "desk", CALLBACK, "openid").start().status_code == 400
    assert Browser(second, "desk", elsewhere, "openid").tokens(Person(second))
    device = Device(second, "desk", "openid")
    Reader(second).decide(Person(second), device.user_code)
    assert device.poll_until("authorization_pending").status_code == 200
    assert Browser(first, "desk", elsewhere, "openid").start().status_code == 200


def test_what_a_client_may_no_longer_ask_for_ends_for_all(both, admin, desk):
    first, second = both
    browser, ada = Browser(second, "desk", CALLBACK, DESK["scope"]), Person(second)
    tokens = browser.tokens(ada)
    code = browser.code(ada)
    assert put(admin, '"1"', scope="openid offline_access").status_code == 200
    refused(browser.refresh(tokens["refresh_token"], scope="openid email"), "invalid_scope")
    less = browser.refresh(tokens["refresh_token"]).json()
    assert set(less["scope"].split()) == {"openid", "offline_access"}
    assert "email" not in userinfo(second, less["access_token"]).json()
    assert "email" not in browser.redeem(code).json()["scope"]
    assert put(admin, '"2"', scope="openid").status_code == 200
    refused(browser.refresh(less["refresh_token"]), "invalid_scope")


def test_taken_out_with_all_that_it_was_given(both, admin, desk):
    _, second = both
    browser, ada = Browser(second, "desk", CALLBACK, "openid offline_access"), Person(second)
    tokens = browser.tokens(ada)
    assert admin.call("DELETE", "/v1/admin/clients/desk").status_code == 204
    assert userinfo(second, tokens["access_token"]).status_code == 401
    refused(browser.refresh(tokens["refresh_token"]), "invalid_client", 401)
    assert browser.start().status_code == 400
    assert problem(admin.call("DELETE", "/v1/admin/clients/desk")) == (404, "not_found")
    assert problem(admin.call("GET", "/v1/admin/clients/desk")) == (404, "not_found")
    # Another of that name begins with nothing: neither tokens nor what people have allowed.
    admin.call("POST", "/v1/admin/clients", DESK)
    refused(browser.refresh(tokens["refresh_token"]), "invalid_grant")
    assert browser.answer(browser.start(prompt="none"))["error"] == "consent_required"


def test_what_is_of_the_configuration_stays(server, admin):
    for id in ("fixed", "imagesync-cli"):
        seen = admin.call("GET", f"/v1/admin/clients/{id}")
        assert seen.json()["source"] == "configuration" and "ETag" not in seen.headers
        for method, path, body in (("POST", "", {**DESK, "id": id}), ("DELETE", "/" + id, None),
                                   ("PUT", "/" + id, {"name": "x", "redirect_uris": []}),
                                   ("POST", f"/{id}/secret", None)):
            reply = admin.call(method, "/v1/admin/clients" + path, body,
                               headers={"If-Match": '"1"'})
            assert problem(reply) == (409, "conflict"), (method, path)


@pytest.mark.parametrize("members", [
    {"id": ""}, {"id": "a b"}, {"id": "x" * 65}, {"id": 7}, {"id": None}, {"name": ""},
    {"name": "x" * 101}, {"name": "a\u202eb"}, {"name": None}, {"scope": "openid root"},
    {"redirect_uris": "https://a.example.com/"}, {"redirect_uris": None},
    {"redirect_uris": ["http://shop.example.com/cb"]}, {"redirect_uris": ["javascript:alert(1)"]},
    {"redirect_uris": ["https:///cb"]}, {"redirect_uris": ["https://a.example.com/#x"]},
    {"redirect_uris": ["myapp:/cb"]}, {"redirect_uris": ["/cb"]}, {"redirect_uris": [7]},
    {"redirect_uris": ["http://localhost.evil.com/cb"]}, {"redirect_uris": [CALLBACK] * 33},
    {"id_token_signed_response_alg": "HS256"}, {"id_token_signed_response_alg": "none"},
    {"secret_sha256": "0" * 64}, {"secret": "mine"}, {"confidential": "yes"}, {"version": 1},
    {"trusted": "true"}, {"source": "configuration"}, {"ä" * 200: 1},
])
def test_what_is_no_client(admin, members):
    body = {name: value for name, value in {**DESK, **members}.items() if value is not None}
    assert problem(admin.call("POST", "/v1/admin/clients", body)) == (400, "invalid_field")
    assert admin.call("GET", "/v1/admin/clients/desk").status_code == 404


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_what_is_no_object(admin, body):
    reply = admin.http.post(admin.server.url + "/v1/admin/clients", data=json.dumps(body),
                            headers={"Content-Type": "application/json"}, timeout=30)
    assert problem(reply) == (400, "invalid_field" if body == [] else "malformed_body")


@pytest.mark.parametrize("redirect,used", [
    ("http://127.0.0.1/cb", "http://127.0.0.1:45678/cb"), ("http://[::1]/cb", "http://[::1]:7/cb"),
    ("com.example.desk:/cb", "com.example.desk:/cb"),
    ("http://localhost:7777/cb", "http://localhost:7777/cb"),
])
def test_redirects_of_native_programs(server, admin, desk, redirect, used):
    assert put(admin, desk.headers["ETag"], redirect_uris=[redirect]).status_code == 200
    assert Browser(server, "desk", used, "openid").tokens(Person(server))


def test_ids_are_taken_once(admin, desk):
    assert problem(admin.call("POST", "/v1/admin/clients", DESK)) == (409, "conflict")
    reply = admin.call("PUT", "/v1/admin/clients/desk", DESK, headers={"If-Match": '"1"'})
    assert problem(reply) == (400, "invalid_field")  # the address says which


def test_only_admins_and_from_no_other_site(server, admin, desk):
    nobody, ada = requests.Session(), Person(server)
    calls = [("GET", ""), ("POST", ""), ("GET", "/desk"), ("PUT", "/desk"), ("DELETE", "/desk"),
             ("POST", "/desk/secret")]
    for method, path in calls:
        url = server.url + "/v1/admin/clients" + path
        assert nobody.request(method, url, json={}, timeout=30).status_code == 401
        assert problem(ada.call(method, "/v1/admin/clients" + path, {})) == (403, "forbidden")
    # Another site's page cannot make a browser do it.
    reply = admin.call("DELETE", "/v1/admin/clients/desk",
                       headers={"Origin": "https://evil.example.com"})
    assert problem(reply) == (403, "cross_site")
    assert admin.call("GET", "/v1/admin/clients/desk").status_code == 200


def test_it_is_in_the_trail(admin, desk):
    admin.call("DELETE", "/v1/admin/clients/desk")
    entries = admin.call("GET", "/v1/me/audit").json()["entries"]
    assert [(entry["action"], entry["subject"]) for entry in entries[:2]] == [
        ("client.removed", "desk"), ("client.created", "desk")]
