# SPDX-License-Identifier: Apache-2.0
"""An authenticator in software (Web Authentication Level 2, section 6), with passkeys in it, and the
browser in front of it. It does as it is told, also what a real one would not."""

import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ES256, EDDSA, RS256 = -7, -8, -257
UP, UV, ATTESTED = 1, 4, 64


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value):
    """RFC 8949, as far as it is needed here."""
    def head(kind, n):
        for size, code, form in ((24, None, ""), (1 << 8, 24, "B"), (1 << 16, 25, ">H")):
            if n < size:
                return (bytes([kind << 5 | n]) if code is None
                        else bytes([kind << 5 | code]) + struct.pack(form, n))
        raise ValueError(n)

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def number(value, size):
    return value.to_bytes(size, "big")


class Passkey:
    """One key pair, made for `options` (the publicKey member of what the server gave)."""

    def __init__(self, alg=ES256, id_len=32):
        self.alg = alg
        self.id = os.urandom(id_len)
        self.user = None
        self.count = 0
        self.flags = UP | UV
        self.key = {ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
                    EDDSA: ed25519.Ed25519PrivateKey.generate,
                    RS256: lambda: rsa.generate_private_key(65537, 2048)}[alg]()

    def cose(self):
        public = self.key.public_key()
        if self.alg == ES256:
            numbers = public.public_numbers()
            return {1: 2, 3: ES256, -1: 1, -2: number(numbers.x, 32), -3: number(numbers.y, 32)}
        if self.alg == EDDSA:
            return {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        return {1: 3, 3: RS256, -1: number(numbers.n, 256), -2: number(numbers.e, 3)}

    def sign(self, data):
        if self.alg == ES256:
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        if self.alg == EDDSA:
            return self.key.sign(data)
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def _auth_data(self, rp_id, attested=b""):
        flags = self.flags | (ATTESTED if attested else 0)
        return (hashlib.sha256(rp_id.encode()).digest()
                + struct.pack(">BI", flags, self.count) + attested)

    def create(self, options, origin, fmt="none", rp_id=None, **client):
        """RegistrationResponseJSON. `client` replaces members of the client data."""
        self.user = unb64(options["user"]["id"])
        data = client_data("webauthn.create", options, origin, client)
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor(self.cose())
        auth_data = self._auth_data(rp_id or options["rp"]["id"], attested)
        statement = {}
        if fmt == "packed":
            statement = {"alg": self.alg, "sig": self.sign(auth_data + hashed(data))}
        return {"type": "public-key", "id": b64(self.id), "rawId": b64(self.id),
                "authenticatorAttachment": "platform", "clientExtensionResults": {},
                "response": {"clientDataJSON": b64(data), "transports": ["internal"],
                             "attestationObject": b64(cbor({"fmt": fmt, "attStmt": statement,
                                                            "authData": auth_data}))}}

    def get(self, options, origin, rp_id=None, user=None, **client):
        """AuthenticationResponseJSON."""
        data = client_data("webauthn.get", options, origin, client)
        auth_data = self._auth_data(rp_id or options["rpId"])
        return {"type": "public-key", "id": b64(self.id), "rawId": b64(self.id),
                "clientExtensionResults": {},
                "response": {"clientDataJSON": b64(data), "authenticatorData": b64(auth_data),
                             "signature": b64(self.sign(auth_data + hashed(data))),
                             "userHandle": b64(user or self.user)}}


def hashed(data):
    return hashlib.sha256(data).digest()


def client_data(kind, options, origin, changes):
    return json.dumps({"type": kind, "challenge": options["challenge"], "origin": origin,
                       "crossOrigin": False, **changes}).encode()
