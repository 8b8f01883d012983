# SPDX-License-Identifier: Apache-2.0
"""Hostile strings at every place where api/openapi.yaml takes one: SQL, far too long, look-alikes;
and what refusals look like."""

import html
import json
import re
import time
from urllib.parse import unquote

import pytest
import requests

from backends import rows, running, tables
from harness import KEY
from people import PASSWORD, Person, new_address, problem
from test_accounts import CHEAP
from test_api_keys import new_key
from test_attacks import admin_of, server  # noqa: F401
from walk import COMPATIBLE, OPERATIONS, OURS, send

BACKENDS = ["embedded", "servers"]


# SQL and what else is hostile in strings

HOSTILE = ["' OR '1'='1' --", "\"); DROP TABLE user_account; --", "x' UNION SELECT NULL, NULL --",
           "$1 ? %s \\ {{7*7}} ${jndi:x}", "\u202e\ufeff\U0001f600"]
# What only a database, its driver, a file of ours or a stack would say.
TOLD = re.compile(r"sqlite|postgres|libpq|hiredis|sqlstate|syntax error|unrecognized token|near \""
                  r"|no such (?:table|column)|relation \"|violates|constraint|deadlock|user_account"
                  r"|SELECT |INSERT INTO|UPDATE user|/home/|/work|/src/|\.[ch]:\d|\bat 0x|backtrace"
                  r"|errno|Segmentation", re.I)
# What is read by everybody, and the same for everybody.
PUBLISHED = ("/", "/openapi.yaml", "/metrics", "/oauth/style.css")


def tells_nothing(operation, reply, text):
    shown = "" if operation.path in PUBLISHED and reply.status_code == 200 else reply.text
    for echo in (text, html.escape(text), html.escape(text, False), json.dumps(text)[1:-1]):
        shown = shown.replace(echo, "")
    found = TOLD.search(shown)
    assert not found, (operation.name, found, reply.text)
    for name, value in reply.headers.items():
        assert not TOLD.search(unquote(value).replace(text, "")), (operation.name, name, value)


def has_its_form(operation, reply):
    """What is no success has the form that the interface promises."""
    if reply.status_code < 400 or operation.method == "HEAD":  # whose answers have no body
        return
    kind = reply.headers["Content-Type"].split(";")[0]
    if operation.problems:
        problem(reply)
    elif operation.path.startswith("/oauth/"):
        assert kind == "text/html" or (kind == "application/json" and "error" in reply.json()), (
            operation.name, reply.text)
    elif operation.path.startswith(COMPATIBLE):
        assert kind == "application/json" and reply.json(), operation.name


def credentials(operation, person):
    return {"X-Api-Key": KEY} if operation.pictures else dict(person.http.headers)


def header_safe(text):
    return text.encode("utf-8").decode("latin-1")


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_in_every_string(server, text):
    person, count = admin_of(server), 0
    accounts = len(rows(server, "SELECT user_id FROM user_account"))
    for operation in OPERATIONS:
        for place in [None, *operation.places()]:
            if person.call("GET", "/v1/me").status_code != 200:  # it has signed itself out
                person, accounts = admin_of(server), accounts + 1
            said = header_safe(text) if place and place[0] == "header" else text
            reply = send(server, operation, requests, place, said, credentials(operation, person))
            assert reply.status_code < 500 or operation.path == "/readyz", (
                operation.name, place, reply.text)
            tells_nothing(operation, reply, text)
            has_its_form(operation, reply)
            count += 1
    assert count > 200
    assert len(rows(server, "SELECT user_id FROM user_account")) == accounts
    for table in tables():
        rows(server, f"SELECT * FROM {table}")  # is there
    assert Person(server).sign_in().status_code == 201


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_what_is_said_is_kept_as_it_was_said(server, text):
    person = Person(server, name=text)
    etag = person.call("GET", "/v1/me").headers["ETag"]
    assert person.call("GET", "/v1/me").json()["name"] == text
    changed = person.call("PATCH", "/v1/me", {"name": text + text}, headers={"If-Match": etag})
    assert changed.status_code == 200 and changed.json()["name"] == text + text
    assert new_key(person, name=text)["name"] == text
    assert person.sign_in(device=text).json()["session"]["name"] == text
    assert {one["name"] for one in person.call("GET", "/v1/api-keys").json()["keys"]} == {text}


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_in_headers_and_cookies(server, text):
    said, accounts = header_safe(text), len(rows(server, "SELECT user_id FROM user_account"))
    for operation in OPERATIONS:
        for name in ("Authorization", "Cookie", "X-Api-Key", "If-Match", "User-Agent", "Origin",
                     "X-Forwarded-For", "X-Request-Id", "Content-Type", "Host"):
            value = {"Authorization": "Bearer " + said, "Cookie": f"session={said}; browser={said}; "
                     f"issuer={said}"}.get(name, said)
            reply = send(server, operation, headers={name: value})
            assert reply.status_code < 500, (operation.name, name, reply.text)
            tells_nothing(operation, reply, text)
    assert len(rows(server, "SELECT user_id FROM user_account")) == accounts


# Too long

def test_a_megabyte_in_every_string(server):
    person, count = Person(server), 0
    huge = "a" * 1_000_000
    for operation in OPERATIONS:
        for place in operation.places():
            text = huge + "@example.com" if "email" in str(place[1]) else huge
            begin = time.monotonic()
            try:
                reply = send(server, operation, requests, place, text,
                             credentials(operation, person))
            except requests.exceptions.ConnectionError:
                continue  # closed while it was still being sent
            took = time.monotonic() - begin
            assert reply.status_code in (400, 413, 414, 422, 431), (operation.name, place,
                                                                    reply.status_code)
            assert took < 5 and len(reply.content) < 100_000, (operation.name, place, took)
            count += 1
    assert count > 100
    assert person.call("GET", "/v1/me").status_code == 200


# Errors

def test_errors_have_the_form_of_rfc_9457(server):
    person = Person(server)
    # What a proxy would refuse itself is sent past it.
    past = server.user.url if server.backend == "split" else server.url
    for operation in OURS:
        path, request = operation.request()
        request["headers"].pop("If-Match", None)
        for reply in (
                requests.request(operation.method, server.url + path, timeout=30),
                requests.request(operation.method, server.url + path, timeout=30, data="{",
                                 headers={"Content-Type": "application/json"}),
                person.http.request(operation.method, server.url + path, timeout=30, data="[1",
                                    headers={"Content-Type": "application/json"}),
                person.http.request("TRACE", past + path, timeout=30),
                person.http.request(operation.method, server.url + path + "/../x", timeout=30)):
            if reply.status_code >= 400 and reply.request.method == "HEAD":
                assert not reply.content
            elif reply.status_code >= 400:
                problem(reply)
            else:
                assert not operation.type, operation.name
            tells_nothing(operation, reply, path)
        if person.call("GET", "/v1/me").status_code != 200:
            person = Person(server)
    for path in ("/v1/", "/v1/nothing", "/v1/me/nothing", "/v1/%00", "/v1/%ff", "/v1/..%2f..%2fetc"):
        for method in ("GET", "POST", "DELETE"):
            reply = requests.request(method, past + path, timeout=30)
            assert 400 <= reply.status_code < 500 and problem(reply), path


# Addresses that look alike

def look_alikes(address):
    """Spelt otherwise, and the same to the eye, to a normalisation or to a careless comparison."""
    name, at = address.split("@")
    first, rest = name[0], name[1:]
    return {
        "full width": chr(ord(first) + 0xFEE0) + rest + "@" + at,
        "Cyrillic": "\u0430" + rest + "@" + at,
        "full width @": name + "\uff20" + at,
        "ideographic stop": name + "@" + at.replace(".", "\u3002"),
        "zero width": name + "\u200b@" + at,
        "soft hyphen": name + "\u00ad@" + at,
        "combining": first + "\u0301" + rest + "@" + at,
        "composed": "\u00e1" + rest + "@" + at,
        "small capital": "\u1d00" + rest + "@" + at,
        "superscript": "\u1d43" + rest + "@" + at,
        "mathematical": chr(0x1D41A) + rest + "@" + at,
        "right to left": "\u202e" + name[::-1] + "\u202c@" + at,
        "host in full width": name + "@" + "".join(
            chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in at),
        "no-break blank": "\u00a0" + address,
        "nul": address + "\u0000",
        "nul within": name + "\u0000@" + at,
        "comment": name + "(x)@" + at,
        "quoted": f'"{name}"@{at}',
        "named": f"Ada <{address}>",
        "two": f"{address},eve@example.com",
        "header": f"{address}\r\nBcc: eve@example.com",
        "dot": address + ".",
        "percent": name + "%40" + at,
    }


def test_addresses_that_look_alike_are_not_one(server):
    # The letters that Unicode folds into ASCII ones: long s and the Kelvin sign.
    ada = Person(server, address="askd" + new_address())
    fold = {"long s": ada.address.replace("s", "\u017f", 1),
            "Kelvin sign": ada.address.replace("k", "\u212a", 1)}
    eve = Person(server)
    for what, text in {**look_alikes(ada.address), **fold}.items():
        for path in ("/v1/registrations", "/v1/password-resets"):
            reply = requests.post(server.url + path, json={"email": text}, timeout=30)
            assert problem(reply)[0] == 400, what
        reply = requests.post(server.url + "/v1/sessions", timeout=60, json={
            "email": text, "password": PASSWORD, "cookie": False})
        assert problem(reply)[0] in (400, 401), what
        assert problem(eve.call("POST", "/v1/me/email", {"email": text}))[0] == 400, what
    # Only what is the same in every mail system that there is.
    assert requests.post(server.url + "/v1/sessions", timeout=60, json={
        "email": f"\t {ada.address.upper()} ", "password": PASSWORD}).status_code == 201


def test_plus_and_dots_are_other_addresses(server):
    ada = Person(server, address="a.da" + new_address())
    name, at = ada.address.split("@")
    for text in (f"{name}+x@{at}", ada.address.replace("a.da", "ada", 1), f"{name}@x.{at}"):
        reply = requests.post(server.url + "/v1/sessions", timeout=60, json={
            "email": text, "password": PASSWORD, "cookie": False})
        assert problem(reply) == (401, "wrong_credentials")
        assert Person(server, address=text).id != ada.id
