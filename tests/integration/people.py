# SPDX-License-Identifier: Apache-2.0
"""People with accounts: they read their mail, sign in, and keep what they were given."""

import email
import email.policy
import itertools
import re

import requests

from harness import eventually

PASSWORD = "correct horse battery"
_names = itertools.count(1)


def new_address():
    return f"person{next(_names)}@example.com"


def mails(server, to=None):
    """The mails that the server has written so far, oldest first."""
    found = []
    for path in sorted((server.data / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if to is None or message["To"] == to:
            found.append(message)
    return found


def wait_for_mail(server, to, count=1):
    assert eventually(lambda: len(mails(server, to)) >= count), f"no mail to {to}"
    return mails(server, to)[count - 1]


def token_in(message):
    (token,) = re.findall(r"\?token=([A-Za-z0-9_-]+)", message.get_content())
    return token


def browser(server):
    """Keeps cookies, and says where its requests come from, as browsers do."""
    http = requests.Session()
    http.headers["Origin"] = server.url
    return http


class Person:
    """Somebody with an account, signed in by bearer token unless told otherwise."""

    def __init__(self, server, address=None, password=PASSWORD, **profile):
        self.server = server
        self.address = address or new_address()
        self.password = password
        self.http = requests.Session()
        reply = self.call("POST", "/v1/registrations", {"email": self.address})
        assert reply.status_code == 202, reply.text
        token = token_in(wait_for_mail(server, self.address))
        reply = self.call("POST", "/v1/registrations/complete",
                          {"token": token, "password": password, "cookie": False, **profile})
        assert reply.status_code == 201, reply.text
        self.keep(reply)
        self.id = reply.json()["user"]["id"]

    def keep(self, reply):
        self.http.headers["Authorization"] = "Bearer " + reply.json()["token"]

    def call(self, method, path, body=None, **kwargs):
        return self.http.request(method, self.server.url + path, json=body, timeout=60, **kwargs)

    def sign_in(self, password=None, **more):
        return requests.post(self.server.url + "/v1/sessions", timeout=60, json={
            "email": self.address, "password": password or self.password, "cookie": False, **more})


def problem(reply):
    """(status, code) of an answer in RFC 9457's form, which is checked."""
    assert reply.headers["Content-Type"] == "application/problem+json", reply.text
    body = reply.json()
    assert body["status"] == reply.status_code and body["title"] and body["request_id"], body
    return reply.status_code, body["code"]
