# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers that the tests start, made as they run.

    authority = Authority(folder)
    authority.file                       # PEM, for whoever is to trust it
    authority.issue("server").chain      # PEM, with .key; for 127.0.0.1 and localhost
    authority.issue("old", expired=True)
"""

import datetime
import ipaddress
import itertools
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
HERE = ("127.0.0.1", "localhost")
_numbers = itertools.count(1)


@dataclass
class Pair:
    chain: Path
    key: Path

    def pem(self):
        """Both in one."""
        return self.key.read_text() + self.chain.read_text()

    def both(self):
        """A file of that."""
        path = self.key.with_name(f"{self.key.stem}-both.pem")
        path.touch(0o600)
        path.write_text(self.pem())
        return path


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Authority:
    def __init__(self, folder, name="tests"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = _name(f"{name} authority")
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.file = self.folder / f"{name}-authority.pem"
        usage = x509.KeyUsage(digital_signature=False, content_commitment=False,
                              key_encipherment=False, data_encipherment=False,
                              key_agreement=False, key_cert_sign=True, crl_sign=True,
                              encipher_only=False, decipher_only=False)
        own = self._builder(self.name, self.private, 0).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(
            usage, critical=True)
        self._write(self.file, own)

    def _builder(self, subject, private, days_ago):
        begin = datetime.datetime.now(datetime.timezone.utc) - (days_ago + 2) * DAY
        return x509.CertificateBuilder(
            issuer_name=self.name, subject_name=subject, public_key=private.public_key(),
            serial_number=x509.random_serial_number(), not_valid_before=begin,
            not_valid_after=begin + 4 * DAY)

    def _write(self, path, builder):
        signed = builder.sign(self.private, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, hosts=HERE, expired=False):
        private = ec.generate_private_key(ec.SECP256R1())
        stem = f"{name}-{next(_numbers)}"
        pair = Pair(self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem")
        alternatives = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        self._write(pair.chain, self._builder(_name(name), private, 30 if expired else 0)
                    .add_extension(alternatives, critical=False))
        pair.key.write_bytes(private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        pair.key.chmod(0o600)
        return pair
