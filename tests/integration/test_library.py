# SPDX-License-Identifier: Apache-2.0
"""A person's library: who gets at it."""

import pytest
import requests

from backends import running
from harness import eventually
from people import Person, problem
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers", "split"]
PATH = "/v1/library"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("library"), **CHEAP) as server:
        yield server


def key_of(person, scope):
    return person.call("POST", "/v1/api-keys", {"name": "shop", "scope": scope}).json()["key"]


def get(server, key):
    return requests.get(server.url + PATH, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def test_a_library_is_empty_at_first(server):
    reply = Person(server).call("GET", PATH)
    assert reply.status_code == 200
    body = reply.json()
    assert len(body.pop("user")) == 36
    assert body == {"seq": 0, "horizon": 0, "keep_places": False}


def test_a_key_needs_the_scope(server):
    ada = Person(server)
    assert get(server, key_of(ada, "library")).status_code == 200
    refused = get(server, key_of(ada, "images account"))
    assert problem(refused) == (403, "insufficient_scope")
    assert 'scope="library"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("shown", ["", "isk_", "a.b.c", "x" * 5000, "isk_" + "A" * 86])
def test_nobody_gets_in_with_what_is_no_credential(server, shown):
    reply = get(server, shown) if shown else requests.get(server.url + PATH, timeout=30)
    assert problem(reply) == (401, "signed_out")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_who_signed_out_is_out(server):
    ada = Person(server)
    assert ada.call("GET", PATH).status_code == 200
    ada.call("DELETE", "/v1/sessions")
    if server.backend == "split":
        # Another process may remember for so long what it was told (core/contracts/access.h).
        assert eventually(lambda: ada.call("GET", PATH).status_code == 401, 15)
    assert problem(ada.call("GET", PATH)) == (401, "signed_out")
