# SPDX-License-Identifier: Apache-2.0
"""Erasing accounts: asked for, called off, done, proved; and nothing is left of whoever is gone."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
import uuid

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from authenticator import Passkey
from backends import BINARIES, psql, rows, running, stored
from harness import BINARY, ROOT, Server, encode, eventually, photo
from hostile_issuer import IssuerSite
from issuer_visits import Browser as IssuerBrowser
from issuer_visits import is_back
from people import Person, mails, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP, add_totp, totp
from test_api_keys import grant, new_key, operator
from test_device_grant import CLI, Device, Reader
from test_oidc import Browser
from test_passkeys import add, sign_in

BACKENDS = ["embedded", "servers"]
DAY = 86400


@pytest.fixture(scope="module")
def site():
    site = IssuerSite()
    site.add("corp")
    yield site
    site.close()


@pytest.fixture
def corp(site):
    return site.issuers["corp"]


def settings(folder, site):
    path = folder / "issuers.json"
    path.write_text(json.dumps(site.configuration()))
    path.chmod(0o600)
    return {"issuers": path, "housekeeping_s": 1, **CHEAP}


@pytest.fixture(scope="module")
def server(backend, site, tmp_path_factory):
    """With days of grace."""
    folder = tmp_path_factory.mktemp("erasure")
    with running(backend, folder, **settings(folder, site)) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(backend, site, tmp_path_factory):
    """Without."""
    folder = tmp_path_factory.mktemp("hasty")
    with running(backend, folder, erasure_grace_days=0, **settings(folder, site)) as server:
        yield server


def imagesync(server, *words, text=None):
    return subprocess.run([BINARY, *map(str, words), "--data", server.data], input=text,
                          env=server.environment, capture_output=True, text=True, timeout=60)


def ask(person):
    reply = person.call("DELETE", "/v1/me")
    assert reply.status_code == 202, reply.text
    return reply.json()["erase"]


def on_postgres(server):
    return "IMAGESYNC_DATABASE" in server.environment


def literal(server, id):
    digits = uuid.UUID(id).hex
    return f"'\\x{digits}'" if on_postgres(server) else f"X'{digits}'"


def change(server, person, sql):
    """Of the person's account, behind the server's back."""
    execute(server, f"{sql} WHERE user_id = {literal(server, person.id)}")


def execute(server, sql):
    if on_postgres(server):
        psql(server.environment["IMAGESYNC_DATABASE"], sql)
    else:
        rows(server, sql)


def has_account(server, person):
    return rows(server, "SELECT COUNT(*) FROM user_account WHERE user_id = "
                        + literal(server, person.id)) == [(1,)]


def subjects(server, address):
    return [message["Subject"] for message in mails(server, address)]


def receipt_in(message):
    """(id, token) of a receipt that came by mail."""
    text = message.get_content()
    (id,) = re.findall(r"/v1/erasure-receipts/(\S+)", text)
    (block,) = re.findall(r"^eyJ.*", text, re.M | re.S)
    assert all(len(line) <= 72 for line in block.split())
    return id, "".join(block.split())


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def erased_mail(server, address):
    def found():
        return [mail for mail in mails(server, address)
                if mail["Subject"] == "Your account is erased"]
    assert eventually(found), server.log_tail()
    return found()[0]


# Asking and calling off

def test_nothing_works_until_the_day_and_signing_in_calls_it_off(server):
    ada, admin = Person(server), Person(server)
    assert operator(server, "role", admin.address, "admin").returncode == 0
    grant(server, ada, 3)
    key = new_key(ada)["key"]
    assert server.balance(key) == 3
    device = Device(server)
    Reader(server).decide(ada, device.user_code)
    tokens = device.poll_until("authorization_pending", "slow_down").json()
    other = ada.sign_in().json()["token"]

    erase = ask(ada)
    assert abs(erase - time.time() - 14 * DAY) < 60
    for token in (None, other):
        headers = {"Authorization": "Bearer " + token} if token else None
        assert problem(ada.call("GET", "/v1/me", headers=headers)) == (401, "signed_out")
    assert server.get("/v1.0/account", key).status_code == 403
    assert Browser(server, CLI).refresh(tokens["refresh_token"]).status_code == 400
    seen = admin.call("GET", f"/v1/admin/users/{ada.id}").json()
    assert (seen["status"], seen["erase"]) == ("erasing", erase)
    assert problem(admin.call("PATCH", f"/v1/admin/users/{ada.id}",
                              {"status": "active"})) == (409, "conflict")
    assert eventually(lambda: "Your account is going to be erased" in subjects(server, ada.address))
    mail = mails(server, ada.address)[-1].get_content()
    assert time.strftime("%d %B %Y", time.gmtime(erase)) in mail
    assert server.url + "/account/sign-in" in mail

    back = ada.sign_in()
    assert back.status_code == 201 and back.json()["user"]["status"] == "active"
    assert "erase" not in back.json()["user"]
    ada.keep(back)
    assert server.balance(key) == 3
    actions = [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]]
    assert actions[:3] == ["session.created", "erasure.called_off", "erasure.asked"]
    assert eventually(lambda: "Your account stays" in subjects(server, ada.address))
    assert not ada.sign_in().json()["user"].get("erase")
    assert subjects(server, ada.address).count("Your account stays") == 1


def test_a_wrong_password_calls_nothing_off(server):
    ada = Person(server)
    secret, _ = add_totp(ada)
    ask(ada)
    assert ada.sign_in("not the password").status_code == 401
    assert ada.sign_in().status_code == 401  # the code is missing
    assert rows(server, "SELECT status FROM user_account WHERE user_id = "
                        + literal(server, ada.id)) == [(2,)]
    assert ada.sign_in(code=totp(secret)).json()["user"]["status"] == "active"


def test_a_passkey_calls_it_off(server):
    ada = Person(server)
    passkey = add(ada)
    ask(ada)
    reply = sign_in(server, passkey)
    assert reply.status_code == 201 and reply.json()["user"]["status"] == "active", reply.text
    assert eventually(lambda: "Your account stays" in subjects(server, ada.address))


def test_another_issuer_calls_it_off(server, corp):
    corp.reset()
    corp.person["email"] = address = new_address()
    browser = IssuerBrowser(server)
    is_back(browser.sign_in(corp))
    assert browser.call("DELETE", "/v1/me").status_code == 202
    assert browser.call("GET", "/v1/me").status_code == 401
    is_back(browser.sign_in(corp))
    assert browser.me()["status"] == "active"
    assert eventually(lambda: "Your account stays" in subjects(server, address))


def test_it_wants_a_session(server):
    ada = Person(server)
    key = new_key(ada)["key"]
    for headers in ({}, {"Authorization": "Bearer " + key}, {"X-Api-Key": key}):
        reply = requests.delete(server.url + "/v1/me", headers=headers, timeout=30)
        assert problem(reply) == (401, "signed_out")
    assert ada.call("GET", "/v1/me").json()["status"] == "active"


def test_a_cookie_from_another_site_erases_nothing(server):
    ada = Person(server)
    browser = requests.Session()
    browser.post(server.url + "/v1/sessions", timeout=60,
                 json={"email": ada.address, "password": ada.password})
    reply = browser.delete(server.url + "/v1/me", timeout=30,
                           headers={"Origin": "https://evil.example"})
    assert problem(reply) == (403, "cross_site")
    reply = browser.delete(server.url + "/v1/me", timeout=30, headers={"Origin": server.url})
    assert reply.status_code == 202 and "session" not in browser.cookies


def test_the_last_admin_stays(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        first, second = Person(server), Person(server)
        assert operator(server, "role", first.address, "admin").returncode == 0
        assert problem(first.call("DELETE", "/v1/me")) == (409, "conflict")
        refused = operator(server, "erase", first.address)
        assert refused.returncode == 1 and "only admin" in refused.stderr
        assert operator(server, "role", second.address, "admin").returncode == 0
        ask(first)
        assert problem(second.call("DELETE", "/v1/me")) == (409, "conflict")


# What operators ask for

def test_the_operator_erases_by_id_or_address(server):
    ada, bob = Person(server), Person(server)
    done = operator(server, "erase", ada.id)
    assert done.returncode == 0 and "is erased by the server after 20" in done.stdout, done.stderr
    assert "Your account is going to be erased" in subjects(server, ada.address)
    assert ada.sign_in().json()["user"]["status"] == "active"
    assert operator(server, "erase", bob.address, "--now").returncode == 0
    erased_mail(server, bob.address)
    assert not has_account(server, bob) and has_account(server, ada)
    assert operator(server, "erase", bob.address).returncode == 1
    assert operator(server, "erase", "nonsense").returncode == 1


def test_signing_in_does_not_call_off_for_who_is_locked(server):
    eve = Person(server)
    assert operator(server, "lock", eve.address).returncode == 0
    assert operator(server, "erase", eve.address).returncode == 0
    assert problem(eve.sign_in()) == (403, "account_locked")
    # Let in again, it is to be erased as that of others.
    unlocked = operator(server, "unlock", eve.address)
    assert unlocked.stdout == f"{eve.address} is erasing.\n", unlocked.stderr
    assert operator(server, "lock", eve.address).returncode == 1
    change(server, eve, "UPDATE user_account SET status = 1, erase_us = 1")
    erased_mail(server, eve.address)
    assert problem(eve.sign_in()) == (401, "wrong_credentials")


# The end, and its proof

def test_what_is_due_is_erased_with_a_receipt(server, tmp_path):
    ada, bob = Person(server), Person(server)
    new_key(ada)
    heads = tmp_path / "heads"
    assert imagesync(server, "audit", "verify", "--heads", heads).returncode == 0
    asked = time.time()
    ask(ada)
    change(server, ada, "UPDATE user_account SET erase_us = 1")
    id, token = receipt_in(erased_mail(server, ada.address))
    assert problem(ada.sign_in()) == (401, "wrong_credentials")
    assert not has_account(server, ada) and has_account(server, bob)
    assert bob.call("GET", "/v1/me").status_code == 200

    claims = claims_of(token)
    assert claims["sub"] == ada.id and claims["iss"] == server.url and claims["jti"] == id
    assert abs(claims["asked"] - asked) < 60 and abs(claims["iat"] - time.time()) < 60
    assert claims["rows"]["user_account"] == claims["rows"]["user_key"] == 1
    assert claims["rows"]["user_api_key"] == 1 and claims["rows"]["user_audit"] >= 3
    assert ada.address not in json.dumps(claims)
    reply = requests.get(f"{server.url}/v1/erasure-receipts/{id}", timeout=30)
    assert reply.status_code == 200 and reply.json()["receipt"] == token
    other = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
    for wrong, answer in ((other, (404, "not_found")), ("x", (400, "invalid_field"))):
        assert problem(requests.get(f"{server.url}/v1/erasure-receipts/{wrong}",
                                    timeout=30)) == answer
    # The trails hold, also against heads that were kept when that of this user was still there.
    verified = imagesync(server, "audit", "verify", "--heads", heads)
    assert verified.returncode == 0, verified.stdout
    # Whoever has the address next is somebody else.
    for path in (server.data / "mail").glob("*.eml"):
        path.unlink()
    assert Person(server, ada.address).id != ada.id


def test_receipts_are_verified_also_with_keys_that_are_gone(server):
    ada = Person(server)
    assert operator(server, "erase", ada.address, "--now").returncode == 0
    id, token = receipt_in(erased_mail(server, ada.address))
    good = imagesync(server, "receipts", "verify", "-", text=token[:300] + "\r\n" + token[300:] + "\n")
    assert good.returncode == 0 and ada.id in good.stdout, good.stderr
    assert "The receipt is good.\n" in good.stdout
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["typ"] == "erasure-receipt+jwt"
    execute(server, f"DELETE FROM user_signing_key WHERE kid = '{header['kid']}'")
    assert imagesync(server, "receipts", "verify", "-", text=token).returncode == 0
    assert requests.get(f"{server.url}/v1/erasure-receipts/{id}", timeout=30).json()["key"]["kid"] \
        == header["kid"]
    first, body, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps(
        {**claims_of(token), "sub": str(uuid.uuid4())}).encode()).rstrip(b"=").decode()
    access = requests.post(server.url + "/v1/sessions", timeout=30, json={}).text
    for wrong in (f"{first}.{forged}.{signature}", f"{first}.{body}.{signature[:-4]}AAAA",
                  f"{first}.{body}.", "", "nonsense", access):
        bad = imagesync(server, "receipts", "verify", "-", text=wrong)
        assert bad.returncode == 1 and "no receipt" in bad.stderr, wrong


def test_two_servers_erase_once(backend, tmp_path):
    if backend != "servers":
        pytest.skip("one server has an embedded database for itself")
    with running(backend, tmp_path, housekeeping_s=1, erasure_grace_days=0, **CHEAP) as first:
        shared = {name.removeprefix("IMAGESYNC_").lower(): value
                  for name, value in first.environment.items() if name.startswith("IMAGESYNC_")}
        shared.pop("api_keys")
        second = Server(tmp_path / "second", master_key=first.data / "master.key", **shared)
        try:
            people = [Person(first) for _ in range(6)]
            for person in people:
                assert operator(first, "erase", person.address, "--now").returncode == 0
            assert eventually(lambda: not any(has_account(first, one) for one in people))
            def receipts():
                return sum(message["Subject"] == "Your account is erased"
                           for one in (first, second) for message in mails(one))
            assert eventually(lambda: receipts() == len(people))
            assert rows(first, "SELECT COUNT(*) FROM user_erasure_receipt") == [(len(people),)]
            assert first.metric("imagesync_erasures_total") + second.metric(
                "imagesync_erasures_total") == len(people)
            # When one is gone the other goes on.
            gone, stays = (first, second) if first.metric(
                'imagesync_chores_total{chore="erasure",result="done"}') > second.metric(
                'imagesync_chores_total{chore="erasure",result="done"}') else (second, first)
            eve = Person(stays)
            gone.kill()
            ask(eve)
            erased_mail(stays, eve.address)
        finally:
            second.stop()


OWED = "SELECT COUNT(*) FROM user_mail_token WHERE kind = 3"


def test_the_receipt_comes_though_the_server_dies_before_it_is_sent(backend, tmp_path):
    """Whoever is erased cannot ask for it again."""
    with running(backend, tmp_path, housekeeping_s=1, erasure_grace_days=0, **CHEAP) as server:
        ada = Person(server)
        # From now on nobody takes mails.
        server.stop()
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            parts = server.parts() if backend == "split" else [server]
            for part in parts:
                part.environment["IMAGESYNC_MAIL"] = f"smtp://127.0.0.1:{nobody.getsockname()[1]}"
                part.environment["IMAGESYNC_MAIL_TIMEOUT_S"] = "1"
            server.start()
            ask(ada)
            assert eventually(lambda: not has_account(server, ada))
            assert eventually(lambda: rows(server, OWED) == [(1,)])
            assert ada.address.encode() not in b"".join(stored(server).values())
            server.kill()
        for part in parts:
            part.environment["IMAGESYNC_MAIL"] = "folder"
        execute(server, "UPDATE user_chore SET until_us = 0, due_us = 0")
        server.start()
        receipt_in(erased_mail(server, ada.address))
        assert eventually(lambda: rows(server, OWED) == [(0,)])


# What is left

def full_person(server, corp, marker):
    """Somebody with everything that there is to have."""
    ada = Person(server, f"{marker}@example.com", name=f"{marker} name")
    ada.marker = marker
    secret, codes = add_totp(ada)
    ada.passkey = add(ada, Passkey(), name=f"{marker} passkey")
    grant(server, ada, 2)
    key = new_key(ada, name=f"{marker} key")["key"]
    small = encode(photo().resize((64, 64)))
    assert server.removebg(small, key=key, size="full").status_code == 200
    shown = ada.http.put(server.url + "/v1/me/avatar", data=small, timeout=60,
                         headers={"Content-Type": "image/jpeg"})
    assert shown.status_code == 200, shown.text
    corp.reset()
    corp.person.update(email=ada.address, sub=f"{marker}-subject")
    browser = IssuerBrowser(server)
    reply = browser.call("POST", "/v1/sessions", {
        "email": ada.address, "password": ada.password, "code": codes[0],
        "device": f"{marker} device"})
    assert reply.status_code == 201, reply.text
    asked = browser.go("POST", "/v1/me/identities", corp)
    assert browser.come_back(corp, asked).status_code == 303
    assert len(browser.call("GET", "/v1/me/identities").json()["identities"]) == 1
    device = Device(server)
    reader = Reader(server)
    page = reader.open(device.user_code)
    page = reader.sign_in(page, ada)
    page = reader.sign_in(page, ada, code=codes[1]) if 'name="code"' in page.text else page
    assert reader.send(page, decision="allow").status_code == 200
    assert sign_in(server, ada.passkey).status_code == 201
    requests.post(server.url + "/v1/password-resets", json={"email": ada.address}, timeout=30)
    assert eventually(lambda: "Choose a new password" in subjects(server, ada.address))
    ada.call("POST", "/v1/me/email", {"email": f"{marker}-new@example.com"})
    wait_for_mail(server, f"{marker}-new@example.com")
    ada.secrets = [secret, *codes, key, f"{marker}-subject"]
    return ada


def traces(server, person):
    """What could lead to that person: (name, bytes)."""
    (hash,) = rows(server, "SELECT %s FROM user_email WHERE user_id = %s" % (
        "encode(email_hash, 'hex')" if on_postgres(server) else "hex(email_hash)", literal(server, person.id)))[0]
    raw = uuid.UUID(person.id).bytes
    found = {"marker": person.marker.encode(), "id": person.id.encode(), "raw id": raw,
             "id in hex": raw.hex().encode(), "id in base64": base64.b64encode(raw)[:-3],
             "hash of the address": bytes.fromhex(str(hash)),
             "bare hash": hashlib.sha256(person.address.encode()).digest()}
    found.update({f"secret {i}": secret.encode() for i, secret in enumerate(person.secrets)})
    return found


def seen(pieces, wanted):
    return {(where, what) for where, data in pieces.items() for what, value in wanted.items()
            if value in data or value.hex().encode() in data.lower()}


def test_nothing_is_left_of_whoever_is_erased(hasty, corp):
    others = [Person(hasty) for _ in range(3)]
    ada = full_person(hasty, corp, "xanthippe")
    others += [Person(hasty) for _ in range(3)]
    for person in others:
        new_key(person)
    wanted = traces(hasty, ada)
    before = {what for _, what in seen(stored(hasty), wanted)}
    # The scan finds what is there while it is there; what can be read is sealed.
    assert {"raw id", "hash of the address"} <= before
    assert not before & {"marker", "bare hash"} and not any("secret" in what for what in before)

    # Everything but the row that says who shall be erased was there, so that it can be missed.
    tables = rows(hasty, "SELECT COUNT(*) FROM user_passkey")
    assert tables == [(1,)]
    ask(ada)
    id, token = receipt_in(erased_mail(hasty, ada.address))
    counts = claims_of(token)["rows"]
    empty = {"user_reservation", "user_client_consent", "user_session", "user_grant",
             # test_exports.py fills these.
             "user_export", "user_export_part", "user_consent",
             # The trail is not a year old.
             "user_audit_anchor",
             # test_erased_library.py fills these.
             "queue_job", "queue_outbox", "event", "event_head", "event_outbox", "event_relayed",
             "sync_object", "sync_mutation", "sync_content", "sync_blob", "sync_upload",
             "sync_usage", "sync_photo", "sync_ingest", "sync_term", "sync_edit", "sync_share",
             "sync_library", "sync_device"}
    if hasty.backend == "split":
        empty.add("user_avatar")
    assert {table for table, n in counts.items() if n == 0} <= empty, counts

    assert eventually(lambda: not seen(stored(hasty), wanted)), seen(stored(hasty), wanted)
    receipt = {"receipt": token.encode(), "id of the receipt": id.encode()}
    assert not seen(stored(hasty), receipt)
    assert hasty.log_text().count("xanthippe") == 0
    for person in others:
        assert person.call("GET", "/v1/me").status_code == 200


class Backup:
    """Made as docs/operations/erasure.md says: the accounts without keys, and the keys alone."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.url = server.environment.get("IMAGESYNC_DATABASE")
        folder.mkdir()
        self.accounts = self.dump("--exclude-table-data=user_key*") if self.url else self.split(
            "accounts")[0]

    def dump(self, *options):
        return subprocess.run([BINARIES / "pg_dump", *options, "-d", self.url], check=True,
                              capture_output=True, timeout=60).stdout

    def split(self, name):
        accounts, keys = self.folder / f"{name}.db", self.folder / f"{name}-keys.db"
        with contextlib.closing(sqlite3.connect(self.server.data / "imagesync.db")) as live, \
                contextlib.closing(sqlite3.connect(accounts)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA secure_delete = ON")
            copy.execute("ATTACH ? AS k", (str(keys),))
            copy.execute("CREATE TABLE k.user_key AS SELECT * FROM user_key")
            copy.execute("DELETE FROM user_key")
            copy.commit()
            copy.execute("VACUUM")
        return accounts, keys

    def bytes(self):
        """As stored() gives them."""
        if not self.url:
            return {"accounts": self.accounts.read_bytes()}
        blobs = b" ".join(bytes.fromhex(text.decode())
                          for text in re.findall(rb"\\\\x([0-9a-f]*)", self.accounts))
        return {"accounts": self.accounts, "blobs": blobs}

    def restore(self, name, with_keys):
        """The accounts as they were and, if so, the keys as they are now; a database's URL."""
        if self.url:
            psql(self.url, f"CREATE DATABASE {name}")
            own = self.url.rsplit("/", 1)[0] + "/" + name
            parts = [self.accounts]
            if with_keys:
                parts.append(self.dump("--data-only", "--table=user_key*"))
            for part in parts:
                subprocess.run([BINARIES / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", own],
                               input=part, capture_output=True, check=True, timeout=60)
            return own
        path = self.folder / f"{name}.db"
        shutil.copy(self.accounts, path)
        if with_keys:
            _, keys = self.split(name + "-now")
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.execute("ATTACH ? AS k", (str(keys),))
                database.execute("INSERT INTO user_key SELECT * FROM k.user_key")
                database.commit()
        return f"sqlite:{path}"


def test_a_backup_is_unreadable_without_the_keys_that_are_kept_apart(hasty, corp, tmp_path):
    ada, bob = full_person(hasty, corp, "theodora"), Person(hasty)
    backup = Backup(hasty, tmp_path / "backup")
    readable = {what for _, what in seen(backup.bytes(), traces(hasty, ada))}
    assert readable - {"id in hex"} == {"raw id", "hash of the address"}
    ask(ada)
    erased_mail(hasty, ada.address)
    common = {"master_key": hasty.data / "master.key", "migrate_on_start": "yes",
              "housekeeping_s": 1, "blobs": hasty.blobs, **CHEAP}
    if "IMAGESYNC_CACHE" in hasty.environment:
        common["cache"] = hasty.environment["IMAGESYNC_CACHE"]
        common["cache_prefix"] = "restored"
    for name, with_keys in (("locked", False), ("restored", True)):
        restored = Server(tmp_path / name, database=backup.restore(name, with_keys), **common)
        try:
            for person, may in ((ada, False), (bob, with_keys)):
                person.server = restored
                assert person.sign_in().status_code == (201 if may else 401), (name, may)
                person.server = hasty
            if with_keys:  # what the backup brought back of the one who was erased
                def known(server=restored):
                    return operator(server, "erase", ada.address).returncode == 0
                assert known() and eventually(lambda: not known())
                bob.server = restored
                assert bob.sign_in().status_code == 201
        finally:
            restored.stop()


def test_mails_and_uploads_are_kept_for_a_time(start):
    server = start(mail_keep_days=2, improve_keep_days=3, **CHEAP)
    Person(server)
    picture = {"image_file": ("a.jpg", encode(photo().resize((64, 64))))}
    for _ in range(2):
        assert server.post("/v1.0/improve", files=picture).status_code == 200
    server.stop()
    (old,) = (server.data / "mail").glob("*.eml")
    stale, fresh = (server.data / "improve").iterdir()
    begun = server.data / "improve" / ".00ff"
    begun.mkdir()
    others = [server.data / "mail" / "notes.txt", server.data / "improve" / "README"]
    for path in others:
        path.write_text("mine")
    for path, days in ((old, 1.9), (stale, 3.1), (fresh, 2.9), (begun, 9),
                       *((path, 99) for path in others)):
        os.utime(path, (time.time() - days * DAY,) * 2)
    server.start()
    assert eventually(lambda: not stale.exists() and not begun.exists())
    assert old.exists() and fresh.exists() and all(path.exists() for path in others)
    server.stop()
    os.utime(old, (time.time() - 2.1 * DAY,) * 2)
    server.start()
    assert eventually(lambda: not old.exists())
    assert fresh.exists()


def sealed_payload(server, token):
    """What user_mail_token has for the token of a mail, opened with what the mail says alone."""
    secret = base64.urlsafe_b64decode(token + "=")
    hash = hashlib.sha256(secret).digest()
    postgres = on_postgres(server)
    ((sealed,),) = rows(server, "SELECT %s FROM user_mail_token WHERE token_hash = %s" % (
        ("encode(payload_sealed, 'hex')", f"'\\x{hash.hex()}'") if postgres
        else ("hex(payload_sealed)", f"X'{hash.hex()}'")))
    sealed = bytes.fromhex(str(sealed))
    key = HKDF(hashes.SHA256(), 32, None, b"imagesync/mail-token").derive(secret)
    place = b"user_mail_token.payload\0" + bytes(16) + (32).to_bytes(8, "little") + hash
    assert sealed[0] == 1
    return AESGCM(key).decrypt(sealed[1:13], sealed[13:], place)


def test_only_the_mail_opens_the_address_that_it_went_to(server):
    ada = Person(server)
    assert ada.call("POST", "/v1/me/email", {"email": "fresh-start@example.com"}).status_code == 202
    token = token_in(wait_for_mail(server, "fresh-start@example.com"))
    assert sealed_payload(server, token) == b"fresh-start@example.com"
    reply = requests.post(server.url + "/v1/email-changes/complete", json={"token": token},
                          timeout=30)
    assert reply.status_code == 204
    assert ada.call("GET", "/v1/me").json()["email"] == "fresh-start@example.com"


def test_chores_are_counted(server):
    for chore in ("erasure", "audit-retention"):
        line = f'imagesync_chores_total{{chore="{chore}",result="%s"}}'
        assert eventually(lambda line=line: server.metric(line % "done") >= 1)
        assert server.metric(line % "failed") == 0


def test_every_table_with_users_is_erased():
    """By whoever it is: the user service its own, the library's service the rest."""
    listed = [table for path in sorted((ROOT / "src").rglob("*.c"))
              for table in re.findall(r'ERASED_TABLE(?:_IN_BATCHES)?\("(\w+)"', path.read_text())]
    found = set()
    for path in sorted((ROOT / "db" / "migrations").glob("*.sql")):
        text = re.sub(r"--.*", "", path.read_text())
        for table, columns in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", text, re.S):
            if re.search(r"^\s*user_id\b", columns, re.M):
                found.add(table)
        for table in re.findall(r"ALTER TABLE (\w+) ADD (?:COLUMN )?user_id\b", text):
            found.add(table)
    assert len(listed) == len(set(listed))
    # The queue erases its own, whichever it is (queue_erase_user()).
    assert set(listed) == found - {"queue_job", "queue_payload"}
    own = re.findall(r'"(user_\w+)"', (ROOT / "src/services/user/privacy/tables.c").read_text())
    assert set(own) == {table for table in found if table.startswith("user_")}
    assert own[-1] == "user_key" and len(own) > 15
