# SPDX-License-Identifier: Apache-2.0
"""What src/core/ports/mail.h promises, on both adapters, with the SMTP server of aiosmtpd."""

import datetime
import email
import email.policy
import email.utils
import os
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from postgres_server import free_port

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("IMAGESYNC_BIN", ROOT / "build" / "imagesync")).resolve()
MAIL_TRY = BINARY.parent / "src" / "adapters" / "mail_try"
SENDER = "Bildstelle Köln <no-reply@example.org>"
SECONDS = 30


def mail_try(kind, place, to, subject, text, *more, sender=SENDER):
    done = subprocess.run([MAIL_TRY, kind, place, sender, to, subject, *map(str, more)],
                          input=text.encode(), capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


class Folder:
    def __init__(self, path):
        self.path = path / "mail"

    def send(self, to, subject, text):
        return mail_try("folder", self.path, to, subject, text)

    def messages(self):
        return [path.read_bytes() for path in sorted(self.path.glob("*.eml"))]


class Handler:
    """Keeps what comes; refuses as it is told."""

    def __init__(self):
        self.messages, self.envelopes = [], []
        self.recipient_reply = self.data_reply = self.sender_reply = None

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.sender_reply:
            return self.sender_reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.recipient_reply:
            return self.recipient_reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.data_reply:
            return self.data_reply
        self.messages.append(envelope.original_content)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, session.ssl is not None))
        return "250 OK"


def authenticate(server, session, envelope, mechanism, auth):
    good = isinstance(auth, LoginPassword) and (auth.login, auth.password) == (b"me", b"secret")
    return AuthResult(success=good)


class Smtp:
    """A server on a free port with STARTTLS required, unless told otherwise."""

    def __init__(self, path, certificate, tls="starttls", auth=False):
        self.certificate = certificate
        self.handler = Handler()
        context = None
        if tls != "none":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        options = {"hostname": "127.0.0.1", "port": free_port()}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        elif tls == "smtps":
            options |= {"ssl_context": context}
        if auth:
            options |= {"authenticator": authenticate, "auth_required": True}
        self.controller = Controller(self.handler, **options)
        self.controller.start()
        scheme = "smtps" if tls == "smtps" else "smtp"
        self.url = f"{scheme}://127.0.0.1:{self.controller.port}"

    def send(self, to, subject, text, *account, kind="smtp", trust=None):
        return mail_try(kind, self.url, to, subject, text, trust or self.certificate[0], *account)

    def messages(self):
        return self.handler.messages

    def stop(self):
        self.controller.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    paths = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", paths[1], "-out", paths[0],
                    "-days", "3", "-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=SECONDS)
    return paths


@pytest.fixture
def smtp(tmp_path, certificate):
    servers = []

    def start(**options):
        servers.append(Smtp(tmp_path, certificate, **options))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()


@pytest.fixture(params=["folder", "smtp"])
def mailer(request, tmp_path, smtp):
    return Folder(tmp_path) if request.param == "folder" else smtp()


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


@pytest.mark.parametrize("subject,text", [
    ("Welcome", "Hello Ann,\n\nhttps://x.example/verify?token=a=b&c\n.\n..dots\n"),
    ("Grüße — ein sehr langer Betreff " * 6, "Schöne Grüße\nfrom=me \n" + "€" * 400 + "\n"),
    ("=?utf-8?q?no?=", "\n\nempty lines\n"),
    ("日本語の件名", "本文\n\tTabulator\n"),
    ("", ""),
])
def test_a_mail_arrives_as_it_was_written(mailer, subject, text):
    assert mailer.send("ann@example.com", subject, text) == "sent"
    [raw] = mailer.messages()
    message = parse(raw)
    assert message["Subject"] == subject
    assert message["To"] == "ann@example.com"
    assert message["From"].addresses[0].display_name == "Bildstelle Köln"
    assert message["From"].addresses[0].addr_spec == "no-reply@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.org>")
    age = datetime.datetime.now(datetime.UTC) - email.utils.parsedate_to_datetime(message["Date"])
    assert abs(age.total_seconds()) < 60
    assert message.get_content().replace("\r\n", "\n") == text
    assert not message.defects
    lines = raw.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line or len(line) > 998 for line in lines)
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    assert raw.isascii()


def test_no_two_have_the_same_id(mailer):
    for _ in range(3):
        assert mailer.send("ann@example.com", "again", "x\n") == "sent"
    assert len({parse(raw)["Message-ID"] for raw in mailer.messages()}) == 3


@pytest.mark.parametrize("to,subject", [
    ("ann@example.com\r\nBcc: eve@example.com", "x"),
    ("ann@example.com>\r\nRCPT TO:<eve@example.com", "x"),
    ("ann@example.com,eve@example.com", "x"),
    ("ann@example.com eve@example.com", "x"),
    ("nobody", "x"),
    ("ann@example.com", "x\r\nBcc: eve@example.com"),
    ("ann@example.com", "x\nBcc: eve@example.com"),
    ("ann@example.com", "x\rBcc: eve@example.com"),
])
def test_nothing_can_be_slipped_into_the_headers(mailer, to, subject):
    assert mailer.send(to, subject, "text\n") == "refused"
    assert mailer.messages() == []


def test_the_folder_is_private_and_files_are_whole(tmp_path):
    folder = Folder(tmp_path)
    folder.path.mkdir(mode=0o755)
    assert folder.send("ann@example.com", "x", "y\n") == "sent"
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    [file] = folder.path.iterdir()  # no temporary one is left
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_is_a_fault(tmp_path):
    (tmp_path / "mail").write_text("in the way")
    assert Folder(tmp_path).send("ann@example.com", "x", "y").startswith("fault ")


def test_envelope_and_encryption(smtp):
    server = smtp()
    assert server.send("ann@example.com", "x", "y\n") == "sent"
    assert server.handler.envelopes == [("no-reply@example.org", ["ann@example.com"], True)]


def test_smtps_and_account(smtp):
    server = smtp(tls="smtps", auth=False)
    assert server.send("ann@example.com", "x", "y\n") == "sent"
    server = smtp(auth=True)
    assert server.send("ann@example.com", "x", "y\n", "me", "secret") == "sent"
    # What is wrong with our account is not wrong with the message.
    assert server.send("ann@example.com", "x", "y\n", "me", "wrong").startswith("fault ")
    assert server.send("ann@example.com", "x", "y\n").startswith("fault ")
    assert len(server.messages()) == 1


def test_without_starttls_nothing_is_sent(smtp, tmp_path):
    server = smtp(tls="none")
    assert server.send("ann@example.com", "x", "y\n").startswith("fault ")
    assert server.messages() == []
    assert server.send("ann@example.com", "x", "y\n", kind="smtp-plain") == "sent"
    assert server.handler.envelopes[0][2] is False


def test_a_foreign_certificate_is_not_trusted(smtp):
    server = smtp()
    assert server.send("ann@example.com", "x", "y\n",
                       trust="/etc/ssl/certs/ca-certificates.crt").startswith("fault ")
    assert server.messages() == []


@pytest.mark.parametrize("step", ["sender_reply", "recipient_reply", "data_reply"])
def test_refused_for_good_or_for_now(smtp, step):
    server = smtp()
    setattr(server.handler, step, "550 no such user here")
    assert server.send("ann@example.com", "x", "y\n") == "refused"
    setattr(server.handler, step, "451 try again later")
    assert server.send("ann@example.com", "x", "y\n").startswith("fault ")
    setattr(server.handler, step, None)
    assert server.send("ann@example.com", "x", "y\n") == "sent"


def test_a_server_that_is_not_there_or_says_nothing(certificate):
    url = f"smtp://127.0.0.1:{free_port()}"
    assert mail_try("smtp", url, "a@example.com", "x", "y").startswith("fault ")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"smtp://127.0.0.1:{mute.getsockname()[1]}"
        assert mail_try("smtp", url, "a@example.com", "x", "y").startswith("fault ")


def test_urls_that_are_none():
    for url in ("http://127.0.0.1", "127.0.0.1", "smtp://me:secret@127.0.0.1"):
        assert mail_try("smtp", url, "a@example.com", "x", "y").startswith("fault ")
