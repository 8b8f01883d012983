# SPDX-License-Identifier: Apache-2.0
"""Servers that know other issuers, and browsers that are sent to these and come back."""

import html
import json
import re

import pytest
import requests

from backends import running
from hostile_issuer import CLIENT, IssuerSite, query_of
from people import new_address
from test_accounts import CHEAP


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


@pytest.fixture(scope="module")
def server(backend, issuers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuers")
    path = folder / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o600)
    for issuer in issuers.issuers.values():
        issuer.reset()
    with running(backend, folder, issuers=path, welcome_credits=3, **CHEAP) as server:
        yield server


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
        return self.http.request(method, self.server.url + path, json=body, timeout=60,
                                 headers={"Origin": self.server.url})

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


def make_server(start, issuers, folder, **settings):
    path = folder / "issuers.json"
    path.write_text(json.dumps(issuers.configuration()))
    path.chmod(0o600)
    return start(issuers=path, **CHEAP, **settings)
