# SPDX-License-Identifier: Apache-2.0
"""What the server answers is what its own /openapi.yaml says, whatever it is sent: schemathesis
makes requests that keep the document and such that break it, as nobody, as somebody and as an
admin. IMAGESYNC_SEED makes others, IMAGESYNC_EXAMPLES more of them; one that fails is shown as curl."""

import contextlib
import os
import subprocess

import hypothesis
import pytest
import requests
import schemathesis
import yaml
from hypothesis import strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance, missing_required_header, negative_data_rejection,
    response_headers_conformance, response_schema_conformance, status_code_conformance,
    unsupported_method)

import backends
from harness import BINARY, KEY, ROOT, encode, photo
from people import PASSWORD, Person
from test_accounts import CHEAP

BACKENDS = ["embedded", "servers"]
SEED = int(os.environ.get("IMAGESYNC_SEED", 1))
EXAMPLES = int(os.environ.get("IMAGESYNC_EXAMPLES", 8))
# A picture of a real model takes a second and more.
EXAMPLES_OF_PICTURES = min(EXAMPLES, 3)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance,
          response_headers_conformance, response_schema_conformance, negative_data_rejection,
          missing_required_header, unsupported_method]
# It only turns a form into a link; GET, where that leads, judges what is in it.
NOT_CHECKED = {"POST /oauth/authorize": [negative_data_rejection]}
# What may be said to a request that breaks the document; 413 is not among schemathesis's own.
REFUSALS = [400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 428, 429]

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

DOCUMENT = yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())
OPERATIONS = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items()
              for method in methods if method in ("get", "put", "post", "patch", "delete")
              and path != "/v1/changes/stream"]  # which has no end; see test_change_stream.py
PICTURES = ("POST /v1.0/removebg", "POST /v1/segment", "POST /v1/cutout")
# By API key, for which it is the same whoever sends it.
BY_KEY = (*PICTURES, "GET /v1.0/account", "POST /v1.0/improve", "GET /v1/account")


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    # Limits out of the way: else most replies would be 429.
    with backends.running(backend, tmp_path_factory.mktemp("contract"), megapixels_per_minute=0,
                          improve_per_day=100000, **{**CHEAP, "attempts_per_address": 1000000}) as server:
        yield server


@pytest.fixture(scope="module")
def contract(server):
    config = SchemathesisConfig.from_dict({
        "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        "generation": {"with-security-parameters": False}})  # callers bring their own
    return schemathesis.openapi.from_url(server.url + "/openapi.yaml", config=config)


class Caller:
    """Somebody who is signed in again when what was sent signed them out, closed their account or
    took their password: an admin with a cookie, as browsers have it, others with a token."""

    def __init__(self, server, role=None):
        self.server, self.role = server, role
        self.person = None

    def session(self):
        if self.person and self.session_is_good():
            return self.http
        if not self.person or self.sign_in().status_code != 201:
            self.person = Person(self.server)
            self.promote()
            assert self.sign_in().status_code == 201
        return self.http

    def promote(self):
        if self.role:
            environment = {name: value for name, value in self.server.environment.items()
                           if name in os.environ or name == "IMAGESYNC_DATABASE"}
            subprocess.run([BINARY, "users", "role", self.person.address, self.role, "--data",
                            self.server.data], env=environment, check=True, timeout=60,
                           capture_output=True)

    def sign_in(self):
        self.http = requests.Session()
        with_cookie = self.role is not None
        reply = self.http.post(self.server.url + "/v1/sessions", timeout=60, json={
            "email": self.person.address, "password": PASSWORD, "cookie": with_cookie})
        if with_cookie:
            self.http.headers["Origin"] = self.server.url
        elif reply.status_code == 201:
            self.http.headers["Authorization"] = "Bearer " + reply.json()["token"]
        return reply

    def session_is_good(self):
        return self.http.get(self.server.url + "/v1/me", timeout=60).status_code == 200

    def get(self, path):
        return self.session().get(self.server.url + path, timeout=60).json()


class Nobody:
    def session(self):
        return requests.Session()


@pytest.fixture(scope="module")
def callers(server):
    return {"nobody": Nobody(), "person": Caller(server), "admin": Caller(server, "admin")}


def made(caller, path, body):
    reply = caller.session().post(caller.server.url + path, json=body, timeout=60)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


def client_made(caller):
    with contextlib.suppress(KeyError):
        return caller.get("/v1/admin/clients/there")["id"]
    return made(caller, "/v1/admin/clients", {
        "id": "there", "name": "There", "redirect_uris": ["https://there.example.com/"]})


# Forms that may be empty, all of whose fields are text, and a body of any bytes: none breaks the
# document.
NOTHING_BREAKS = ("POST /oauth/end-session", "POST /oauth/device-authorization",
                  "PUT /v1/me/avatar")

# What stands for {id}, now and then, so that not all of them are of nothing.
THERE = {
    "/v1/api-keys/{id}": lambda caller: made(caller, "/v1/api-keys", {"name": "A key"}),
    "/v1/sessions/{id}": lambda caller: caller.get("/v1/sessions")["sessions"][0]["id"],
    "/v1/admin/users/{id}": lambda caller: caller.get("/v1/me")["id"],
    "/v1/admin/users/{id}/credits": lambda caller: caller.get("/v1/me")["id"],
    "/v1/admin/clients/{id}": client_made,
    "/v1/admin/clients/{id}/secret": client_made,
}
STAFF_ONLY = "/v1/admin/"


def only_here(body, server):
    """No server but this one is asked for pictures."""
    if isinstance(body, dict):
        for name in body:
            if name.endswith("url") and isinstance(body[name], str):
                body[name] = server.url + "/nothing.jpg"
    return body


def with_things(case, path, who, caller, server):
    """Puts in what cannot be guessed: something that is there, its version, a photo."""
    if path in THERE and who != "nobody" and (who == "admin" or STAFF_ONLY not in path):
        case.path_parameters = {"id": THERE[path](caller)}
    if "If-Match" in (case.headers or {}) and who != "nobody":
        thing = caller.session().get(server.url + case.formatted_path, timeout=60)
        if "ETag" in thing.headers:
            case.headers["If-Match"] = thing.headers["ETag"]
    if path == "/v1/me/avatar" and case.method == "PUT":
        case.body = encode(photo("astronaut").resize((256, 256)))
    elif isinstance(case.body, dict):
        for name in ("image_file", "image"):
            if name in case.body:
                case.body[name] = encode(photo("astronaut").resize((256, 256)))


def cases():
    """(operation, who, mode), of all that there is."""
    for operation in OPERATIONS:
        method, path = operation.split(" ")
        described = DOCUMENT["paths"][path][method.lower()]
        modes = {"keeping": GenerationMode.POSITIVE}
        if operation not in NOTHING_BREAKS and described.keys() & {"requestBody", "parameters"}:
            modes["breaking"] = GenerationMode.NEGATIVE
        for who in ("nobody", "person", "admin"):
            if operation in BY_KEY and who == "admin":
                continue  # keys know no roles
            for name, mode in modes.items():
                yield pytest.param(operation, who, mode, id=f"{operation}-{who}-{name}")


@pytest.mark.parametrize("operation,who,mode", cases())
def test_it_answers_as_it_says(server, contract, callers, operation, who, mode):
    method, path = operation.split(" ")
    caller, described = callers[who], contract[path][method]

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES_OF_PICTURES if operation in PICTURES else EXAMPLES, deadline=None,
        database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(described.as_strategy(generation_mode=mode), strategies.booleans())
    def keeps(case, there):
        session = caller.session()
        skipped = list(NOT_CHECKED.get(operation, ()))
        if there:
            with_things(case, path, who, caller, server)
            skipped.append(negative_data_rejection)  # what was broken may have been put right
        only_here(case.body, server)
        headers = {"X-Api-Key": KEY} if operation in BY_KEY and who == "person" else None
        reply = case.call(base_url=server.url, session=session, headers=headers, timeout=60,
                          allow_redirects=False)
        case.validate_response(reply, checks=CHECKS, excluded_checks=skipped)

    keeps()
