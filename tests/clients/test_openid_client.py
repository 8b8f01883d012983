# SPDX-License-Identifier: Apache-2.0
"""The npm package openid-client, unmodified: the code flow, refresh, introspection, revocation."""

import hashlib
import html
import json
import re
import subprocess
from pathlib import Path

import pytest
import requests

from harness import Server
from people import Person
from test_removebg_node import find_node

HERE = Path(__file__).resolve().parent
SECRET = "a-secret-of-the-backend-0123456789"
REDIRECT = "https://client.example.com/callback"
CLIENTS = {"clients": [
    {"id": "public", "name": "Public", "redirect_uris": [REDIRECT],
     "scope": "openid profile email offline_access"},
    {"id": "secret", "name": "Secret", "redirect_uris": [REDIRECT],
     "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest(),
     "scope": "openid profile email offline_access", "id_token_signed_response_alg": "EdDSA"},
]}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("issuer")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    server = Server(folder / "server", oidc_clients=folder / "clients.json", password_ops=1,
                    password_memory_mib=8)
    yield server
    server.stop()


def walk(issuer, url, person):
    """Signs in and allows, as a browser does; where it is sent at last."""
    browser = requests.Session()
    page = browser.get(url, timeout=30)
    fields = {"email": person.address, "password": person.password, "decision": "allow"}
    while True:
        action = re.search(r'action="([^"]+)"', page.text).group(1)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        page = browser.post(issuer.url + action, timeout=60, allow_redirects=False, data={
            **{name: html.unescape(value) for name, value in hidden.items()}, **fields})
        if page.status_code == 303:
            return page.headers["Location"]
        assert page.status_code == 200, page.text


@pytest.mark.parametrize("client,secret,alg", [("public", None, "ES256"),
                                               ("secret", SECRET, "EdDSA")])
def test_code_flow(issuer, client, secret, alg):
    person = Person(issuer, name="Ada")
    options = {"url": issuer.url, "id": client, "secret": secret, "redirect": REDIRECT, "alg": alg,
               "scope": "openid profile email offline_access"}
    with subprocess.Popen([find_node(), HERE / "openid_client.mjs", json.dumps(options)], cwd=HERE,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            url = json.loads(process.stdout.readline() or "null")
            assert url, process.communicate(timeout=60)[1]
            out, err = process.communicate(walk(issuer, url, person) + "\n", timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    got = json.loads(out)
    assert got["claims"]["sub"] == got["user"]["sub"] == got["refreshed"]["sub"] == person.id
    assert got["user"]["email"] == person.address and got["user"]["name"] == "Ada"
    assert got["rotated"] and got["refused"] == "invalid_grant"
    assert got["end"].startswith(issuer.url + "/oauth/end-session?")
    if secret:
        assert got["before"]["active"] is True and got["after"] == {"active": False}
