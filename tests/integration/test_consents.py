# SPDX-License-Identifier: Apache-2.0
"""What people agree to: when they open an account, when a document has a new version, and what they
take back."""

import json
import os
import subprocess
import time

import pytest
import requests

from authenticator import Passkey
from backends import rows, running, stored
from harness import BINARY, MODELS
from issuer_visits import Browser, corp, is_back, is_page, issuers, newcomer
from people import PASSWORD, Person, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP
from test_exports import export

__all__ = ["corp", "issuers"]  # fixtures

BACKENDS = ["embedded", "servers"]

TERMS = {"id": "terms", "version": "2026-11", "title": "Terms of service",
         "url": "https://example.com/terms", "required": True}
PRIVACY = {"id": "privacy", "version": "3", "title": "Privacy policy", "url": "/privacy",
           "required": True}
NEWS = {"id": "news", "version": "1.0", "title": "Monthly news", "url": "/news"}


def agreed(*agreements):
    return [{"id": one["id"], "version": one["version"]} for one in agreements]


def write(folder, *agreements):
    path = folder / "agreements.json"
    path.write_text(json.dumps({"agreements": agreements}))
    return path


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("consents")
    with running(backend, folder, agreements=write(folder, TERMS, PRIVACY, NEWS),
                 **CHEAP) as server:
        yield server


def link(server):
    """The token of a mail for a new address."""
    address = new_address()
    assert requests.post(server.url + "/v1/registrations", json={"email": address},
                         timeout=30).status_code == 202
    return token_in(wait_for_mail(server, address))


def register(server, token, agreements, **more):
    body = {"token": token, "password": PASSWORD, "cookie": False, **more}
    if agreements is not None:
        body["agreements"] = agreements
    return requests.post(server.url + "/v1/registrations/complete", json=body, timeout=60)


@pytest.fixture
def ada(server):
    return Person(server, agreements=agreed(TERMS, PRIVACY))


def consents(person):
    return {one["id"]: one for one in person.call("GET", "/v1/me/consents").json()["consents"]}


def put(person, document, given, version=None):
    return person.call("PUT", f"/v1/me/consents/{document['id']}",
                       {"version": version or document["version"], "given": given})


def test_anyone_sees_the_documents(server):
    reply = requests.get(server.url + "/v1/agreements", timeout=30)
    assert reply.status_code == 200
    assert reply.json() == {"agreements": [TERMS, PRIVACY, {**NEWS, "required": False}]}


@pytest.mark.parametrize("agreements, words", [
    (None, "terms"), ([], "terms"), (agreed(TERMS), "privacy"), (agreed(PRIVACY, NEWS), "terms"),
    ([{"id": "terms", "version": "2025-01"}, *agreed(PRIVACY)], "2026-11"),
    ([*agreed(TERMS, PRIVACY), {"id": "other", "version": "1"}], "agreements"),
    ("terms", "agreements"), ([{"id": "terms"}], "agreements"), ([3], "agreements"),
    ([{**agreed(TERMS)[0], "given": False}, *agreed(PRIVACY)], "agreements"),
])
def test_nobody_has_an_account_without_what_is_required(server, agreements, words):
    token = link(server)
    reply = register(server, token, agreements)
    assert problem(reply) == (400, "invalid_field") and words in reply.json()["detail"]
    # The link is still good.
    assert register(server, token, agreed(TERMS, PRIVACY)).status_code == 201


def test_nor_with_a_passkey(server):
    token = link(server)
    options = requests.post(server.url + "/v1/registrations/passkey", json={"token": token},
                            timeout=30).json()["publicKey"]
    body = {"token": token, "cookie": False,
            "credential": Passkey().create(options, server.url)}
    url = server.url + "/v1/registrations/complete"
    assert problem(requests.post(url, json=body, timeout=30)) == (400, "invalid_field")
    reply = requests.post(url, timeout=30, json={**body, "agreements": agreed(PRIVACY, TERMS)})
    assert reply.status_code == 201
    me = requests.get(server.url + "/v1/me", timeout=30,
                      headers={"Authorization": "Bearer " + reply.json()["token"]}).json()
    assert me["agreements_due"] == []


def test_what_was_agreed_to_is_on_record(server, ada):
    found = consents(ada)
    for document in (TERMS, PRIVACY):
        one = found[document["id"]]
        assert one["given"] is True and one["given_version"] == document["version"]
        assert one["required"] is True and abs(one["at"] - time.time()) < 60
    assert found["news"]["given"] is False and "at" not in found["news"]
    exported = export(ada)["consents.json"]["consents"]
    assert [(one["document"], one["version"], one["given"]) for one in exported] == [
        ("terms", "2026-11", True), ("privacy", "3", True)]
    assert exported[0]["address"] == "127.0.0.1" and "python-requests" in exported[0]["agent"]


def test_what_is_not_required_is_given_and_taken_back(server, ada):
    before = rows(server, "SELECT count(*) FROM user_consent")[0][0]
    for given in (True, True, False, False, True):
        reply = put(ada, NEWS, given)
        assert reply.status_code == 200 and reply.json()["given"] is given
        assert consents(ada)["news"]["given"] is given
    # What changes nothing adds nothing, and nothing is ever written over.
    assert rows(server, "SELECT count(*) FROM user_consent")[0][0] == before + 3
    assert [one["given"] for one in export(ada)["consents.json"]["consents"]
            if one["document"] == "news"] == [True, False, True]


def test_what_is_required_is_not_taken_back(server, ada):
    reply = put(ada, TERMS, False)
    assert problem(reply) == (409, "conflict") and "delete the account" in reply.json()["detail"]
    assert consents(ada)["terms"]["given"] is True


def test_bad_consents_are_refused(server, ada):
    assert problem(put(ada, NEWS, True, "0.9")) == (400, "invalid_field")
    assert put(ada, NEWS, True).status_code == 200
    assert problem(put(ada, NEWS, False, "0.9")) == (400, "invalid_field")
    assert problem(put(ada, {"id": "nothing", "version": "1"}, True)) == (404, "not_found")
    for body in ({}, {"version": "1.0"}, {"given": True}, {"version": "1.0", "given": "yes"},
                 {"version": "1.0", "given": True, "at": 0}):
        assert problem(ada.call("PUT", "/v1/me/consents/news", body)) == (400, "invalid_field")
    reply = requests.put(server.url + "/v1/me/consents/news", timeout=30,
                         json={"version": "1.0", "given": True})
    assert problem(reply) == (401, "signed_out")


def test_where_it_was_given_from_lies_sealed(server):
    Person(server, agreements=agreed(TERMS, PRIVACY))
    for name, data in stored(server).items():
        assert b"python-requests" not in data, name


def test_a_new_version_is_asked_about(backend, tmp_path):
    with running(backend, tmp_path, agreements=write(tmp_path, TERMS, NEWS), **CHEAP) as server:
        ada = Person(server, agreements=agreed(TERMS, NEWS))
        assert ada.call("GET", "/v1/me").json()["agreements_due"] == []
        server.stop()
        newer = {**TERMS, "version": "2027-01"}
        write(tmp_path, newer, {**NEWS, "version": "2.0"})
        server.start()
        # Only what is required is.
        due = [{name: newer[name] for name in ("id", "version", "title", "url")}]
        assert ada.call("GET", "/v1/me").json()["agreements_due"] == due
        assert consents(ada)["terms"]["given_version"] == "2026-11"
        assert consents(ada)["terms"]["version"] == "2027-01"
        assert problem(put(ada, TERMS, True)) == (400, "invalid_field")
        assert put(ada, newer, True).status_code == 200
        assert ada.call("GET", "/v1/me").json()["agreements_due"] == []
        # What was agreed to in its earlier version can be taken back.
        assert put(ada, NEWS, False).json()["given"] is False


def test_without_documents_nothing_is_asked(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        assert requests.get(server.url + "/v1/agreements", timeout=30).json() == {"agreements": []}
        ada = Person(server)
        assert ada.call("GET", "/v1/me").json()["agreements_due"] == []
        assert ada.call("GET", "/v1/me/consents").json() == {"consents": []}
        assert problem(register(server, link(server), agreed(TERMS))) == (400, "invalid_field")


@pytest.mark.parametrize("text, words", [
    ("{", "no JSON"), ("[]", "list"), ('{"agreements": [], "more": 1}', "list"),
    (json.dumps({"agreements": [{**TERMS, "id": "A b"}]}), "id"),
    (json.dumps({"agreements": [{**TERMS, "version": "1 2"}]}), "version"),
    (json.dumps({"agreements": [{**TERMS, "title": ""}]}), "title"),
    (json.dumps({"agreements": [{**TERMS, "url": "javascript:alert(1)"}]}), "url"),
    (json.dumps({"agreements": [{**TERMS, "url": "//evil.example"}]}), "url"),
    (json.dumps({"agreements": [{**TERMS, "extra": 1}]}), "extra"),
    (json.dumps({"agreements": [TERMS, TERMS]}), "twice"),
    (json.dumps({"agreements": [{**TERMS, "id": f"t{n}"} for n in range(17)]}), "16"),
])
def test_a_wrong_file_ends_the_start(tmp_path, text, words):
    path = tmp_path / "agreements.json"
    path.write_text(text)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(MODELS.resolve())
    env = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESYNC_")}
    done = subprocess.run([BINARY, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data",
                           "--agreements", path], env=env, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode != 0 and "--agreements" in done.stderr and words in done.stderr


# Accounts that are opened by signing in with another issuer

@pytest.fixture(scope="module")
def issuing(backend, issuers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuing")
    path = folder / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o600)
    with running(backend, folder, agreements=write(folder, TERMS, NEWS), issuers=path,
                 **CHEAP) as server:
        yield server


def ticked(*agreements):
    return {f"agree_{one['id']}": one["version"] for one in agreements}


def test_whoever_comes_from_elsewhere_is_asked_first(issuing, corp):
    address = newcomer(corp)
    corp.person["name"] = "Zoë <b>Ångström</b>"
    browser = Browser(issuing)
    before = rows(issuing, "SELECT count(*) FROM user_account")
    page = browser.sign_in(corp)
    assert is_page(page, 200, "Open an account")
    for text in (address, "Terms of service", 'href="https://example.com/terms"', "Monthly news"):
        assert text in page.text, text
    assert rows(issuing, "SELECT count(*) FROM user_account") == before
    assert problem(browser.call("GET", "/v1/me")) == (401, "signed_out")
    # Without what is required, or an earlier version of it, the page is there again.
    for fields in ({}, ticked(NEWS), ticked({**TERMS, "version": "1"})):
        page = browser.send(page, **fields)
        assert is_page(page, 400, "To open an account, agree to: Terms of service.")
    done = browser.send(page, **ticked(TERMS))
    assert done.status_code == 200 and done.headers["Refresh"] == "0;url=/account"
    me = browser.me()
    assert me["email"] == address and me["name"] == "Zoë <b>Ångström</b>"
    assert me["agreements_due"] == []
    found = {one["id"]: one["given"] for one in
             browser.call("GET", "/v1/me/consents").json()["consents"]}
    assert found == {"terms": True, "news": False}
    # The form is good once, and whoever has an account is not asked again.
    assert is_page(browser.send(page, **ticked(TERMS)), 403, "Please start again")
    assert is_back(Browser(issuing).sign_in(corp))


def test_who_does_not_agree_has_no_account(issuing, corp):
    newcomer(corp)
    browser = Browser(issuing)
    before = rows(issuing, "SELECT count(*) FROM user_account")
    page = browser.sign_in(corp)
    assert is_page(browser.send(page, decision="cancel"), 200, "Nothing was done")
    assert rows(issuing, "SELECT count(*) FROM user_account") == before
    assert is_page(browser.send(page, **ticked(TERMS)), 403, "Please start again")


def test_nobody_else_can_send_the_form(issuing, corp):
    newcomer(corp)
    browser, other = Browser(issuing), Browser(issuing)
    page = browser.sign_in(corp)
    assert is_page(other.send(page, **ticked(TERMS)), 403, "Please start again")
    assert is_page(browser.send(page, token="A" * 43, **ticked(TERMS)), 403, "Please start again")
