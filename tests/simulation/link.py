# SPDX-License-Identifier: Apache-2.0
"""What lies between a device and the server: requests get lost, and so do answers."""

import http.client
import json as json_text
import threading
import time

import requests


class NoAnswer(Exception):
    """Nobody knows whether it was done."""


class Broken(AssertionError):
    """The server did what it must never do."""


class Reply:
    def __init__(self, status, headers, content):
        self.status, self.headers, self.content = status, headers, content

    def json(self):
        return json_text.loads(self.content)

    def code(self):
        try:
            return self.json().get("code")
        except ValueError:
            return None

    def __repr__(self):
        return f"{self.status} {self.content[:300]!r}"


class Link:
    def __init__(self, machine, person, trace):
        self.machine, self.person, self.trace = machine, person, trace
        self.local = threading.local()  # a connection for each thread
        self.offline, self.faulty, self.chance = False, True, None
        self.sign_in()

    def sign_in(self):
        try:
            reply = self.person.sign_in()
        except requests.RequestException as error:
            raise NoAnswer(f"signing in: {error}") from None
        if reply.status_code != 201:
            raise NoAnswer(f"signing in: {reply.status_code}")
        self.token = reply.json()["token"]

    def call(self, method, path, body=None, headers=None, json=None, **kwargs):
        """The answer; or NoAnswer, also for what says that it was not done and may be tried again."""
        headers = {name: value for name, value in {"Authorization": f"Bearer {self.token}",
                                                   **(headers or {})}.items() if value is not None}
        if json is not None:
            body = json_text.dumps(json).encode()
            headers["Content-Type"] = "application/json"
        if self.offline:
            raise NoAnswer("offline")
        fault = self.chance.choices(("none", "refused", "half", "lost"), (80, 5, 5, 10))[0] \
            if self.faulty else "none"
        if fault != "none":
            self.machine.counts[f"request: {fault}"] += 1
        troubled = self.machine.troubled()
        try:
            if fault == "refused":
                raise NoAnswer(fault)
            if fault == "half":
                self._half(method, path, body or b"", headers)
            if not hasattr(self.local, "http"):
                self.local.http = requests.Session()
            reply = self.local.http.request(method, self.machine.url + path, data=body, headers=headers,
                                      timeout=self.machine.patience_s(), **kwargs)
            content = reply.content
        except (requests.RequestException, OSError) as error:
            self.trace(f"  {method} {path}: {type(error).__name__}")
            raise NoAnswer(str(error)) from None
        self.trace(f"  {method} {path} {reply.status_code}"
                   f"{' (lost)' if fault == 'lost' else ''} {content[:160]!r}")
        if reply.status_code >= 500:
            self.machine.counts[f"answer: {reply.status_code}"] += 1
            if reply.status_code == 500 and not troubled and not self.machine.troubled():
                raise Broken(f"{method} {path}: {reply.text}")
            time.sleep(0.01)
            raise NoAnswer(reply.status_code)
        if reply.status_code == 401:
            self.sign_in()
            raise NoAnswer("signed out")
        if fault == "lost":
            raise NoAnswer(fault)
        return Reply(reply.status_code, reply.headers, content)

    def _half(self, method, path, body, headers):
        """The line breaks in the middle of the request."""
        line = http.client.HTTPConnection("127.0.0.1", self.machine.port, timeout=30)
        try:
            line.putrequest(method, path)
            for name, value in headers.items():
                line.putheader(name, value)
            line.putheader("Content-Length", str(len(body) + (0 if body else 1)))
            line.endheaders()
            line.send(body[:len(body) // 2])
        finally:
            line.close()
        raise NoAnswer("half")
