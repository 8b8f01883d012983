# SPDX-License-Identifier: Apache-2.0
"""The last way into an account stays, whichever kinds of ways it has."""

from authenticator import Passkey, b64
from issuer_visits import Browser, corp, is_back, issuers, newcomer, server
from people import PASSWORD, problem

BACKENDS = ["embedded", "servers"]
__all__ = ["corp", "issuers", "server"]  # fixtures

LAST = (409, "conflict")


def comer(corp, server):
    """Somebody who came by the issuer, and has no password; with the address of that identity."""
    newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    (identity,) = browser.call("GET", "/v1/me/identities").json()["identities"]
    return browser, f"/v1/me/identities/{identity['id']}"


def add_passkey(browser):
    options = browser.call("POST", "/v1/me/passkeys/options")
    assert options.status_code == 200, options.text
    passkey = Passkey()
    reply = browser.call("POST", "/v1/me/passkeys", {
        "name": "Phone",
        "credential": passkey.create(options.json()["publicKey"], browser.server.url)})
    assert reply.status_code == 201, reply.text
    return "/v1/me/passkeys/" + b64(passkey.id)


def test_a_passkey_lets_the_identity_go(server, corp):
    browser, identity = comer(corp, server)
    assert problem(browser.call("DELETE", identity)) == LAST
    passkey = add_passkey(browser)
    assert browser.call("DELETE", identity).status_code == 204
    assert problem(browser.call("DELETE", passkey)) == LAST


def test_an_identity_lets_the_passkey_go(server, corp):
    browser, identity = comer(corp, server)
    assert browser.call("DELETE", add_passkey(browser)).status_code == 204
    assert problem(browser.call("DELETE", identity)) == LAST


def test_an_identity_lets_the_password_go(server, corp):
    browser, identity = comer(corp, server)
    assert browser.call("PUT", "/v1/me/password", {"password": PASSWORD}).status_code == 204
    assert browser.call("DELETE", "/v1/me/password").status_code == 204
    assert problem(browser.call("DELETE", identity)) == LAST
