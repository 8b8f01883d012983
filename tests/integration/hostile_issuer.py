# SPDX-License-Identifier: Apache-2.0
"""
OpenID Connect providers that do what they are told: right by default, and wrong in one way at a
time. All are of one HTTP server on 127.0.0.1; each has a path of its own.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

CLIENT, SECRET = "image sync", "a secret: of the client"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A signing key: RS256, ES256 or EdDSA."""

    def __init__(self, alg="RS256", kid=None):
        self.alg, self.kid = alg, kid or secrets.token_hex(4)
        self.private = {"RS256": lambda: rsa.generate_private_key(65537, 2048),
                        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                        "EdDSA": ed25519.Ed25519PrivateKey.generate}[alg]()

    def public(self):
        key = self.private.public_key()
        if self.alg == "RS256":
            numbers = key.public_numbers()
            members = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif self.alg == "ES256":
            numbers = key.public_numbers()
            members = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32),
                       "y": number(numbers.y, 32)}
        else:
            members = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_bytes_raw())}
        return {**members, "kid": self.kid, "alg": self.alg, "use": "sig"}

    def pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def signature(self, signed):
        if self.alg == "RS256":
            return self.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "ES256":
            r, s = utils.decode_dss_signature(self.private.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(signed)

    def half_hash(self, text):
        digest = hashlib.sha512 if self.alg == "EdDSA" else hashlib.sha256
        full = digest(text.encode()).digest()
        return b64(full[:len(full) // 2])

    def token(self, claims):
        return encode({"alg": self.alg, "kid": self.kid}, claims, self.signature)


def encode(header, claims, sign):
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64(sign(signed.encode()))}"


def unsigned(key, claims):
    del key
    return encode({"alg": "none"}, claims, lambda signed: b"")


def hmac_with(secret_of):
    """HS256 under what everybody knows: key confusion."""
    def token(key, claims):
        return encode({"alg": "HS256", "kid": key.kid}, claims,
                      lambda signed: hmac.new(secret_of(key), signed, hashlib.sha256).digest())
    return token


class Issuer:
    """One provider. Tests change its members; `reset()` makes it right again."""

    def __init__(self, site, name, alg="RS256", auth="client_secret_basic"):
        self.site, self.name, self.auth = site, name, auth
        self.url = f"{site.url}/{name}"
        self.keys = [Key(alg)]
        self.codes, self.asked = {}, {}
        self.reset()

    def reset(self):
        self.person = {"sub": secrets.token_hex(8), "email": None, "email_verified": True}
        self.claims = {}         # of the ID token, over those that are right; None takes one away
        self.in_userinfo = False  # where the e-mail address is
        self.userinfo_claims = {}
        self.sends_iss = True
        self.make_token = lambda key, claims: key.token(claims)
        self.replies = {}        # path: (status, body) or a function of the handler
        self.asked = {}          # path: how many times
        self.last_authorization = None

    def discovery(self):
        return {"issuer": self.url,
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token", "jwks_uri": self.url + "/jwks",
                "userinfo_endpoint": self.url + "/userinfo",
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [self.keys[0].alg],
                "authorization_response_iss_parameter_supported": self.sends_iss}

    def code_for(self, asked):
        """What a person's browser comes back with, after signing in."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return code

    def id_token(self, asked, access_token):
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": self.person["sub"], "iat": now,
                  "exp": now + 300, "nonce": asked["nonce"],
                  "at_hash": self.keys[0].half_hash(access_token)}
        if "max_age" in asked:
            claims["auth_time"] = now
        if not self.in_userinfo:
            claims.update({name: value for name, value in self.person.items() if name != "sub"})
        claims.update(self.claims)
        return self.make_token(self.keys[0], {name: value for name, value in claims.items()
                                              if value is not None})

    def check_client(self, handler, form):
        if self.auth == "client_secret_basic":
            scheme, value = handler.headers.get("Authorization", " ").split(" ", 1)
            # RFC 6749 2.3.1: each is form-encoded before the two are joined.
            return (scheme, base64.b64decode(value).decode()) == (
                "Basic", "image%20sync:a%20secret%3A%20of%20the%20client")
        given = (form.get("client_id"), form.get("client_secret"))
        return given == (CLIENT, SECRET if self.auth == "client_secret_post" else None) and \
            "Authorization" not in handler.headers

    def token(self, handler, form):
        asked = self.codes.pop(form.get("code"), None)
        if not self.check_client(handler, form):
            return 401, {"error": "invalid_client"}
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or form.get("grant_type") != "authorization_code" or \
                asked["redirect_uri"] != form.get("redirect_uri") or \
                asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        access_token = secrets.token_urlsafe(16)
        self.access_token = access_token
        return 200, {"access_token": access_token, "token_type": "Bearer",
                     "id_token": self.id_token(asked, access_token)}

    def userinfo(self, handler):
        if handler.headers.get("Authorization") != f"Bearer {self.access_token}":
            return 401, {"error": "invalid_token"}
        return 200, {**self.person, **self.userinfo_claims}

    def answer(self, handler, path, form):
        self.asked[path] = self.asked.get(path, 0) + 1
        if path in self.replies:
            reply = self.replies[path]
            return reply(handler) if callable(reply) else reply
        if path == "/.well-known/openid-configuration":
            return 200, self.discovery()
        if path == "/jwks":
            return 200, {"keys": [key.public() for key in self.keys]}
        if path == "/token":
            return self.token(handler, form)
        if path == "/userinfo":
            return self.userinfo(handler)
        return 404, {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        _, name, rest = (urlsplit(self.path).path + "/").split("/", 2)
        length = int(self.headers.get("Content-Length") or 0)
        form = dict(parse_qsl(self.rfile.read(length).decode()))
        issuer = self.server.site.issuers.get(name)
        reply = issuer.answer(self, "/" + rest.rstrip("/"), form) if issuer else (404, {})
        if reply is None:  # it was sent, or is not to be
            self.close_connection = True
            return
        status, body = reply
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = serve

    def log_message(self, *args):
        pass


class IssuerSite:
    """A free port with providers on it."""

    def __init__(self):
        self.issuers = {}
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.site = self
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def add(self, name, **options):
        self.issuers[name] = Issuer(self, name, **options)
        return self.issuers[name]

    def configuration(self):
        """The file for --issuers."""
        return {"allow": "127.0.0.1/32", "issuers": [
            {"name": issuer.name, "title": f"The {issuer.name} <issuer>", "issuer": issuer.url,
             "client_id": CLIENT, "token_endpoint_auth_method": issuer.auth,
             **({} if issuer.auth == "none" else {"client_secret": SECRET})}
            for issuer in self.issuers.values()]}

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def query_of(url):
    """The parameters of an address, each of which must be there once."""
    parsed = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in parsed.values()), url
    return {name: values[0] for name, values in parsed.items()}
