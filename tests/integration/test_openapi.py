# SPDX-License-Identifier: Apache-2.0
"""api/openapi.yaml is valid, and says what the server does."""

import pytest
import requests
import yaml
from openapi_spec_validator import validate

from harness import ROOT, error


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())


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


def test_reply_headers_are_described(document, server, astronaut):
    described = document["paths"]["/v1.0/removebg"]["post"]["responses"]["200"]["headers"]
    reply = server.removebg(astronaut)
    ours = {name.lower() for name in reply.headers if name.lower().startswith("x-")}
    assert ours <= {name.lower() for name in described}


def test_error_codes_are_described(document, server, astronaut):
    codes = document["components"]["schemas"]["ErrorCode"]["enum"]
    for fields in ({"size": "x"}, {"roi": "x"}, {"scale": "x"}, {"bg_color": "x"}):
        assert error(server.removebg(astronaut, **fields))[1] in codes
    assert len(codes) == len(set(codes))
