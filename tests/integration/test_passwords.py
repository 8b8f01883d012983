# SPDX-License-Identifier: Apache-2.0
"""Passwords as people type them, and ones that became public; addresses with international domains."""

import hashlib

import pytest
import requests

from backends import running
from harness import KEY
from people import Person, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]
LEAKED = "leaked café password"
COMPOSED, DECOMPOSED = "mon café préféré", "mon cafe\u0301 pre\u0301fe\u0301re\u0301"


def list_of(*passwords):
    """As Have I Been Pwned publishes it, among many others."""
    hashes = {hashlib.sha1(text.encode()).hexdigest().upper()
              for text in (*passwords, *map(str, range(5000)))}
    return "".join(f"{found}:{len(found)}\r\n" for found in sorted(hashes))


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("passwords")
    (folder / "breached.txt").write_text(list_of(LEAKED))
    with running(backend, folder, breached_passwords=folder / "breached.txt", **CHEAP) as server:
        yield server


def test_one_password_whatever_the_keyboard_sends(server):
    person = Person(server, password=DECOMPOSED)
    assert person.sign_in(COMPOSED).status_code == 201
    assert person.sign_in(DECOMPOSED).status_code == 201
    assert problem(person.sign_in("mon cafe prefere")) == (401, "wrong_credentials")
    assert person.call("POST", "/v1/sessions/proof", {"password": COMPOSED}).status_code == 204
    blank = "correct\u00a0horse\u3000battery"
    assert person.call("PUT", "/v1/me/password", {"password": blank}).status_code == 204
    assert person.sign_in("correct horse battery").status_code == 201


@pytest.mark.parametrize("password", ["a bell \u0007 in it", "nothing\u200bto see", "\ue000 is nobody's"])
def test_what_cannot_be_typed_again_is_refused(server, password):
    person = Person(server)
    reply = person.call("PUT", "/v1/me/password", {"password": password})
    assert problem(reply) == (400, "weak_password")
    assert "cannot be seen" in reply.json()["detail"]


def test_a_password_that_became_public_is_refused_wherever_it_is_chosen(server):
    person = Person(server)
    leaked = {"password": LEAKED.replace("é", "e\u0301")}
    address = new_address()
    assert person.call("POST", "/v1/registrations", {"email": address}).status_code == 202
    assert person.call("POST", "/v1/password-resets", {"email": person.address}).status_code == 202
    for method, path, body in (
            ("PUT", "/v1/me/password", leaked),
            ("POST", "/v1/registrations/complete",
             {"token": token_in(wait_for_mail(server, address)), **leaked}),
            ("POST", "/v1/password-resets/complete",
             {"token": token_in(wait_for_mail(server, person.address, 2)), **leaked})):
        reply = person.call(method, path, body)
        assert problem(reply) == (400, "weak_password"), path
        assert "public in a breach" in reply.json()["detail"]
    assert person.call("PUT", "/v1/me/password", {"password": LEAKED + "!"}).status_code == 204


@pytest.mark.parametrize("text, why", [
    ("", "is empty"), ("secret\n", "SHA-1"), (None, "No such file"),
    ("".join(reversed(list_of().splitlines(True))), "not sorted")])
def test_a_bad_list_ends_the_start_with_a_reason(start, tmp_path, text, why):
    path = tmp_path / "list.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RuntimeError, match=f"--breached-passwords: .*{why}"):
        start(KEY, breached_passwords=path)


def test_an_international_domain_is_one_however_it_is_written(server):
    number = new_address().split("@")[0]
    person = Person(server, address=f"{number}@xn--bcher-kva.example")
    for written in (f"{number}@bücher.example", f"{number.upper()}@BÜCHER.example",
                    f"{number}@bu\u0308cher.example"):
        person.address = written
        assert person.sign_in().status_code == 201, written
    assert person.call("GET", "/v1/me").json()["email"] == f"{number}@xn--bcher-kva.example"
    person.address = f"{number}@bucher.example"
    assert problem(person.sign_in()) == (401, "wrong_credentials")


def test_mail_goes_to_the_domains_ascii_form(server):
    address = new_address().replace("example.com", "müller.example")
    reply = requests.post(server.url + "/v1/registrations", json={"email": address}, timeout=60)
    assert reply.status_code == 202
    assert wait_for_mail(server, address.replace("müller", "xn--mller-kva"))


@pytest.mark.parametrize("address", ["jürgen@example.com", "a@ｅxample.com", "a@exa\u200bmple.com"])
def test_addresses_that_would_have_to_be_guessed_are_refused(server, address):
    reply = Person(server).call("POST", "/v1/registrations", {"email": address})
    assert problem(reply) == (400, "invalid_field")
    assert "before the @" in reply.json()["detail"]


def test_a_profile_names_a_language_and_a_time_zone_that_there_are(server):
    person = Person(server)

    def patch(**members):
        version = person.call("GET", "/v1/me").headers["ETag"]
        return person.call("PATCH", "/v1/me", members, headers={"If-Match": version})

    for good in ({"zone": "Europe/Zurich"}, {"zone": "Etc/GMT+1"}, {"zone": ""},
                 {"locale": "zh-Hant-TW"}, {"locale": "de-CH-1901"}, {"locale": ""},
                 {"name": "x" * 200}):
        assert patch(**good).status_code == 200, good
    for bad in ({"zone": "Europe/Atlantis"}, {"zone": "right/Europe/Zurich"}, {"zone": "Europe"},
                {"zone": "zone.tab"}, {"zone": "Europe/../Europe/Zurich"},
                {"locale": "de_CH"}, {"locale": "d"}, {"locale": "de-CH-"},
                {"name": "x" * 201}, {"name": "a\u202eb"}):
        assert problem(patch(**bad)) == (400, "invalid_field"), bad
