# SPDX-License-Identifier: Apache-2.0
"""Walks api/openapi.yaml: each operation, with a request that is plausible, and one in which any of
its strings is another."""

import base64
import uuid

import requests
import yaml

from harness import ROOT

DOCUMENT = yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text())
JSON, FORM, MULTIPART = ("application/json", "application/x-www-form-urlencoded",
                         "multipart/form-data")
# Other people's interfaces, with errors of their own form.
COMPATIBLE = ("/v1.0/", "/v1/segment", "/v1/account")
# These take a picture, and keys instead of sessions.
PICTURES = ("/v1.0/", "/v1/segment", "/v1/cutout", "/v1/account", "/v1/page-config")

PLAUSIBLE = {
    "email": "somebody@example.com", "password": "correct horse battery staple", "code": "123456",
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "name": "A name", "locale": "de-CH",
    "zone": "Europe/Zurich", "device": "Phone", "scope": "images", "issuer": "corp",
    "return": "/account", "user_code": "WDJB-MJHT", "reason": "because", "amount": 1,
    "client_id": "shop", "redirect_uri": "https://shop.example.com/callback", "keep": "current",
    "token": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="), "response_type": "code",
    "grant_type": "refresh_token", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256", "status": "active", "decision": "deny", "If-Match": '"1"',
    "expires": 4000000000,
}


def resolve(schema):
    while "$ref" in schema:
        target = DOCUMENT
        for word in schema["$ref"].removeprefix("#/").split("/"):
            target = target[word]
        schema = target
    return schema


def properties(schema):
    schema = resolve(schema)
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found.update(properties(part))
    return found


def required(schema):
    schema = resolve(schema)
    found = list(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        found += required(part)
    for one in schema.get("oneOf", ())[:1]:
        found += one.get("required", ())
    return found


def sample(name, schema):
    """A value that the schema takes."""
    schema = resolve(schema)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema or "allOf" in schema:
        needed = required(schema)
        return {each: sample(each, of) for each, of in properties(schema).items() if each in needed}
    if kind == "array":
        return [sample(name, schema.get("items", {"type": "string"}))]
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        return schema["examples"][0]
    if kind == "boolean":
        return True
    if name in PLAUSIBLE:
        return PLAUSIBLE[name]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if schema.get("format") == "uuid":
        return str(uuid.UUID(int=7 << 76 | 2 << 62 | 1))
    return "x"


def strings_in(value, path=()):
    """Where the strings of a JSON value are."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from strings_in(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from strings_in(each, (*path, index))
    elif isinstance(value, str):
        yield path


def replaced(value, path, text):
    """The same with another string there."""
    if not path:
        return text
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], text)
    return copy


class Operation:
    def __init__(self, method, path, item, shared):
        self.method, self.path = method.upper(), path
        self.name = f"{self.method} {path}"
        self.parameters = [resolve(each) for each in [*shared, *item.get("parameters", ())]]
        content = resolve(item.get("requestBody", {})).get("content", {})
        self.type = next((each for each in (JSON, FORM, MULTIPART) if each in content), None)
        self.schema = content[self.type].get("schema", {}) if self.type else None
        self.changes = self.method not in ("GET", "HEAD", "OPTIONS")
        self.problems = path.startswith("/v1/") and not path.startswith(COMPATIBLE)
        self.pictures = path.startswith(PICTURES)

    def members(self):
        return properties(self.schema) if self.schema else {}

    def body(self):
        """What is required, and all else that is text."""
        if not self.type:
            return None
        needed, one_of = required(self.schema), resolve(self.schema).get("oneOf", ())
        others = {each for one in one_of for each in one["required"]} - set(needed)
        return {name: sample(name, schema) for name, schema in self.members().items()
                if name in needed or (name not in others
                                      and resolve(schema).get("type") in ("string", "boolean"))}

    def places(self):
        """Where a string of somebody's choice can be put: ("path", "id"), ("json", ("email",))."""
        found = [(each["in"], each["name"]) for each in self.parameters]
        body = self.body()
        if self.type == JSON:
            found += [("json", path) for path in strings_in(body)]
        elif body:
            found += [("form", name) for name, value in body.items() if isinstance(value, str)]
        return found

    def request(self, place=None, text=None):
        """(path, keywords for requests): plausible, but for `text` at one of the places."""
        path, query, headers, body = self.path, {}, {}, self.body()
        for each in self.parameters:
            value = sample(each["name"], each.get("schema", {}))
            if place == (each["in"], each["name"]):
                value = text
            if each["in"] == "path":
                path = path.replace("{" + each["name"] + "}", quoted(str(value)))
            elif each["in"] == "query":
                query[each["name"]] = value
            else:
                headers[each["name"]] = str(value)
        if place and place[0] == "json":
            body = replaced(body, place[1], text)
        elif place and place[0] == "form":
            body = {**body, place[1]: text}
        more = {"params": query, "headers": headers}
        if self.type == JSON:
            more["json"] = body
        elif self.type == FORM:
            more["data"] = body
        elif self.type == MULTIPART:
            more["files"] = {name: (None, str(value)) for name, value in body.items()}
        return path, more


def quoted(text):
    """Each byte escaped, so that it arrives as it is."""
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or chr(byte) in "-_"
                   else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")) or "%20"


def has_no_end(item):
    """An answer that goes on until somebody hangs up."""
    return "text/event-stream" in item["responses"].get("200", {}).get("content", {})


def operations():
    return [Operation(method, path, item, items.get("parameters", ()))
            for path, items in DOCUMENT["paths"].items()
            for method, item in items.items() if method != "parameters" and not has_no_end(item)]


OPERATIONS = operations()
# Our own interface, but for what takes pictures.
OURS = [each for each in OPERATIONS if each.problems and not each.pictures]


def send(server, operation, http=requests, place=None, text=None, headers=None, **more):
    path, request = operation.request(place, text)
    request["headers"] = {**request["headers"], **(headers or {})}
    return http.request(operation.method, server.url + path, timeout=60, allow_redirects=False,
                        **request, **more)
