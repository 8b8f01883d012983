# SPDX-License-Identifier: Apache-2.0
"""api/openapi.yaml is valid, and says what the server does."""

import re

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from harness import KEY, ROOT, error


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())


@pytest.fixture(scope="module")
def check(document):
    """Holds a value against one of the document's schemas."""
    def run(value, name):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        Draft202012Validator(schema).validate(value)
    return run


def properties(document, name):
    schema = document["components"]["schemas"][name]
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        if "$ref" in part:
            found.update(properties(document, part["$ref"].rsplit("/", 1)[1]))
        else:
            found.update(part["properties"])
    return found


# Form: where it is sent to, the field of the picture, how the code of an error is read.
FORMS = {
    "RemovebgForm": ("/v1.0/removebg", "image_file", lambda body: body["errors"][0]["code"]),
    "SegmentForm": ("/v1/segment", "image_file", lambda body: body["type"]),
    "CutoutForm": ("/v1/cutout", "image", lambda body: body["code"]),
}


@pytest.fixture(params=FORMS)
def form(request, server, document):
    """The fields that are no sources, and how to ask what the server says to a value of one."""
    path, image, code_of = FORMS[request.param]

    def ask(name, value):
        files = {image: ("a.jpg", b"no picture")}
        reply = server.post(path, files=files, data={name: value})
        assert reply.status_code == 400
        return code_of(reply.json())

    fields = {name: schema for name, schema in properties(document, request.param).items()
              if not name.startswith("image") and "file" not in name and "url" not in name
              and name != "background"}
    assert len(fields) >= 6
    return fields, ask


def documented_values(schema):
    values = [*schema.get("enum", ()), *schema.get("examples", ())]
    values += ["true", "false"] if schema.get("type") == "boolean" else []
    values += [schema[bound] for bound in ("minimum", "maximum") if bound in schema]
    return values


def test_it_is_valid(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_server_serves_it(document, server):
    assert yaml.safe_load(requests.get(server.url + "/openapi.yaml", timeout=10).text) == document


def test_every_operation_answers(document, server):
    for path, operations in document["paths"].items():
        for method in operations:
            if method in ("get", "post"):
                reply = requests.request(method, server.url + path, timeout=10)
                assert reply.status_code not in (404, 405), (method, path)
                assert str(reply.status_code) in operations[method]["responses"], (method, path)


def test_every_value_it_names_is_taken(form):
    """Fields are read before the picture, which is none: that is the only thing left to say."""
    fields, ask = form
    for name, schema in fields.items():
        for value in documented_values(schema):
            assert ask(name, value) == "invalid_file_type", (name, value)


def test_other_values_are_refused_with_a_code_it_names(document, form):
    fields, ask = form
    codes = document["components"]["schemas"]["ErrorCode"]["enum"]
    for name in fields:
        code = ask(name, "?")
        assert code in codes and code.startswith("invalid_") and code != "invalid_file_type", name


def test_reply_headers_are_the_ones_it_names(document, server, astronaut):
    for path in ("/v1.0/removebg", "/v1/segment"):
        described = document["paths"][path]["post"]["responses"]["200"]["headers"]
        unlimited = {name for name in described if name.startswith("X-RateLimit-")}
        reply = server.post(path, files={"image_file": ("a.jpg", astronaut)})
        assert reply.status_code == 200
        ours = {name.lower() for name in reply.headers if name.lower().startswith("x-")}
        assert ours == {name.lower() for name in set(described) - unlimited}, path


def test_rate_limit_headers_are_sent_where_there_is_a_limit(start, astronaut):
    server = start(megapixels_per_minute=100)
    for path, kind in (("/v1.0/removebg", 200), ("/v1/segment", 200), ("/v1.0/improve", 200)):
        reply = server.post(path, files={"image_file": ("a.jpg", astronaut)})
        assert reply.status_code == kind
        assert {"X-RateLimit-Limit", "X-RateLimit-Remaining",
                "X-RateLimit-Reset"} <= set(reply.headers), path


def test_bodies_have_the_shapes_it_names(check, server, astronaut):
    picture = {"image_file": ("a.jpg", astronaut)}
    accept = {"Accept": "application/json"}
    check(server.post("/v1.0/removebg", headers=accept, files=picture).json(), "RemovebgResult")
    for key in (KEY, "ten", "empty"):
        check(server.get("/v1.0/account", key).json(), "Account")
    check(server.get("/v1/page-config", None).json(), "PageConfig")
    for reply in (server.removebg(), server.removebg(astronaut, key="wrong"),
                  server.removebg(astronaut, key="empty"), server.removebg(astronaut, size="x"),
                  server.get("/v1.0/removebg"), server.get("/v1.0/nothing")):
        check(reply.json(), "RemovebgErrors")
    for reply in (server.post("/v1/segment"), server.post("/v1/segment", "wrong"),
                  server.get("/v1/segment")):
        check(reply.json(), "SegmentError")
    for reply in (server.post("/v1/cutout"), server.post("/v1/cutout", "wrong"),
                  server.get("/v1/nothing")):
        check(reply.json(), "ProblemDetails")


def test_it_names_every_code_and_no_other(document):
    source = "".join((ROOT / "src" / path).read_text() for path in (
        "services/image/failure.c", "services/user/failure.c", "base/http/respond.c"))
    codes = set(re.findall(r'\{[45]\d\d,\s+"(\w+)"', source))
    codes |= set(re.findall(r'(?:return|:|\?) "(\w+)"', source))
    assert set(document["components"]["schemas"]["ErrorCode"]["enum"]) == codes - {"missing_image"}


def test_error_codes_are_described(document, server, astronaut):
    codes = document["components"]["schemas"]["ErrorCode"]["enum"]
    for fields in ({"size": "x"}, {"roi": "x"}, {"scale": "x"}, {"bg_color": "x"}):
        assert error(server.removebg(astronaut, **fields))[1] in codes
    assert len(codes) == len(set(codes))
