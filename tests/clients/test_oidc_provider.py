# SPDX-License-Identifier: Apache-2.0
"""Signing in with another issuer: the npm package oidc-provider, unmodified."""

import html
import json
import re

import pytest
import requests

from harness import Server
from people import PASSWORD, Person
from provider import METHODS, provider, walk


@pytest.fixture(scope="module", params=METHODS)
def pair(request, tmp_path_factory):
    """A server, and the one issuer that it knows."""
    folder = tmp_path_factory.mktemp("provider")
    with provider() as issuer:
        path = folder / "issuers.json"
        path.write_text(json.dumps(issuer.configuration(request.param)))
        path.chmod(0o600)
        server = Server(folder / "server", issuers=path, password_ops=1, password_memory_mib=8)
        server.name = request.param
        issuer.serve(server.url)
        yield server, issuer
        server.stop()


def sign_in(server, name, browser=None, url=None):
    """The answer of the callback, in a browser that is new to both."""
    browser = browser or requests.Session()
    callback = walk(browser, url or f"{server.url}/oauth/issuers/{server.name}/start", name,
                    f"{server.url}/oauth/issuers/{server.name}/callback")
    return browser, browser.get(callback, timeout=30, allow_redirects=False)


def me(server, browser):
    return browser.get(server.url + "/v1/me", timeout=30).json()


def test_newcomer_and_coming_back(pair):
    server, _ = pair
    browser, reply = sign_in(server, "grace")
    assert (reply.status_code, reply.headers["Location"]) == (303, "/account")
    first = me(server, browser)
    assert (first["email"], first["name"]) == ("grace@example.com", "GRACE")
    again, reply = sign_in(server, "grace")
    assert reply.status_code == 303 and me(server, again)["id"] == first["id"]


def test_address_that_is_not_confirmed(pair):
    server, _ = pair
    browser, reply = sign_in(server, "unconfirmed-eve")
    assert reply.status_code == 403 and "not confirmed" in reply.text
    assert browser.get(server.url + "/v1/me", timeout=30).status_code == 401


def test_account_that_is_there_is_linked_by_its_owner(pair):
    server, _ = pair
    ada = Person(server, address="ada@example.com")
    browser, page = sign_in(server, "ada")
    assert page.status_code == 200 and "There is an account already" in page.text
    token = html.unescape(re.search(r'name="token" value="([^"]+)"', page.text)[1])
    reply = browser.post(server.url + "/oauth/issuers/finish", timeout=60,
                         data={"token": token, "decision": "go", "password": PASSWORD})
    assert reply.status_code == 200 and me(server, browser)["id"] == ada.id
    other, reply = sign_in(server, "ada")
    assert reply.status_code == 303 and me(server, other)["id"] == ada.id


def test_proof_is_given_anew(pair):
    """The provider asks again, though the browser is signed in there."""
    server, issuer = pair
    browser, _ = sign_in(server, "linus")
    reply = browser.post(server.url + "/v1/sessions/proof/issuer", timeout=30,
                         headers={"Origin": server.url},
                         json={"issuer": server.name})
    assert reply.status_code == 200, reply.text
    location = reply.json()["location"]
    assert location.startswith(issuer.url) and "prompt=login" in location
    asked = browser.get(location, timeout=30)
    assert 'name="login"' in asked.text, "it did not ask"
    browser, reply = sign_in(server, "linus", browser, location)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/account")


def test_proof_of_somebody_else(pair):
    server, _ = pair
    browser, _ = sign_in(server, "barbara")
    location = browser.post(server.url + "/v1/sessions/proof/issuer", timeout=30,
                            headers={"Origin": server.url},
                            json={"issuer": server.name}).json()["location"]
    _, reply = sign_in(server, "mallory", browser, location)
    assert reply.status_code == 403 and "somebody else" in reply.text


def test_cancelled_at_the_provider(pair):
    server, issuer = pair
    browser = requests.Session()
    page = browser.get(f"{server.url}/oauth/issuers/{server.name}/start", timeout=30)
    abort = re.search(r'href="([^"]+/abort)"', page.text)[1]
    reply = browser.get(abort if "://" in abort else issuer.url + abort, timeout=30)
    assert reply.status_code == 403 and "did not let it through" in reply.text
