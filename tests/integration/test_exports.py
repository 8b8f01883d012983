# SPDX-License-Identifier: Apache-2.0
"""The copy of one's data: everything that was put in is there, and nothing of anybody else."""

import datetime
import io
import json
import types
import zipfile

import pytest
import requests

from authenticator import Passkey, b64
from backends import rows, running, stored
from harness import Server, encode, eventually, photo
from issuer_visits import Browser, corp, is_back, issuers, newcomer, server
from people import PASSWORD, Person, mails, problem, wait_for_mail
from test_accounts import CHEAP, add_totp
from test_device_grant import Device, Reader

__all__ = ["corp", "issuers", "server"]  # fixtures

FILES = {"README.txt", "account.json", "avatar.webp", "devices.json", "audit.json", "api-keys.json",
         "credits.json", "passkeys.json", "identities.json", "applications.json", "consents.json"}
BACKENDS = ["embedded", "servers"]


def ask(person):
    reply = person.call("POST", "/v1/me/exports")
    assert reply.status_code == 202, reply.text
    return reply.json()["id"]


def status(person, export):
    reply = person.call("GET", f"/v1/me/exports/{export}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def file_of(person, export):
    return person.call("GET", f"/v1/me/exports/{export}/file")


def wait_until_ready(person, export):
    assert eventually(lambda: status(person, export)["status"] == "ready"), status(person, export)


def contents(reply):
    """{file: what is in it}; all of it parses."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="image-sync-data.zip"'
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        # What of these is in it: test_export_library.py.
        files = {name: archive.read(name) for name in archive.namelist()
                 if not name.startswith("library/")}
    assert set(files) == FILES
    return {name: json.loads(bytes) if name.endswith(".json")
            else bytes.decode("utf-8" if name.endswith(".txt") else "latin-1")
            for name, bytes in files.items()}


def export(person):
    wanted = ask(person)
    wait_until_ready(person, wanted)
    return contents(file_of(person, wanted))


def is_recent(text):
    then = datetime.datetime.fromisoformat(text)
    assert then.utcoffset() == datetime.timedelta(0)
    age = datetime.datetime.now(datetime.timezone.utc) - then
    return -60 < age.total_seconds() < 600


@pytest.fixture
def filled(server, corp):
    """Somebody who has used all that there is, and what came of it."""
    address = newcomer(corp)
    browser = Browser(server)
    is_back(browser.sign_in(corp))
    assert browser.call("PUT", "/v1/me/password", {"password": PASSWORD}).status_code == 204
    me = browser.call("GET", "/v1/me")
    browser.http.headers["If-Match"] = me.headers["ETag"]
    assert browser.call("PATCH", "/v1/me", {"name": "Zoë Ångström", "locale": "de-CH",
                                            "zone": "Europe/Zurich"}).status_code == 200
    assert browser.http.put(server.url + "/v1/me/avatar", data=encode(photo().resize((64, 64))),
                            headers={"Content-Type": "image/jpeg", "Origin": server.url},
                            timeout=60).status_code == 200
    options = browser.call("POST", "/v1/me/passkeys/options").json()["publicKey"]
    passkey = Passkey()
    assert browser.call("POST", "/v1/me/passkeys", {
        "name": "Her phone", "credential": passkey.create(options, server.url),
    }).status_code == 201
    key = browser.call("POST", "/v1/api-keys", {"name": "Her shop"}).json()
    person = types.SimpleNamespace(address=address, password=PASSWORD)
    device = Device(server)
    assert "connected" in Reader(server).decide(person, device.user_code).text
    tokens = device.poll_until("slow_down", "authorization_pending").json()
    other = requests.post(server.url + "/v1/sessions", timeout=60, json={
        "email": address, "password": PASSWORD, "cookie": False, "device": "Her laptop"}).json()
    secret, codes = add_totp(types.SimpleNamespace(call=browser.call, address=address))
    return types.SimpleNamespace(
        browser=browser, call=browser.call, address=address, id=me.json()["id"], passkey=passkey,
        key=key, secrets=[PASSWORD, key["key"], other["token"], tokens["access_token"],
                          tokens["refresh_token"], secret, *codes])


def test_everything_of_an_account_is_in_it(server, corp, filled):
    found = export(filled)
    account = found["account.json"]
    assert account["id"] == filled.id and account["email"] == filled.address
    assert account["name"] == "Zoë Ångström" and account["locale"] == "de-CH"
    assert account["zone"] == "Europe/Zurich" and account["role"] == "user"
    assert account["password"] is True and account["totp"] is True and account["erase"] is None
    assert is_recent(account["created"]) and is_recent(account["exported"])
    shown = filled.browser.get("/v1/me/avatar")
    assert shown.status_code == 200 and found["avatar.webp"] == shown.content.decode("latin-1")
    devices = found["devices.json"]["devices"]
    (laptop,) = [device for device in devices if device["name"] == "Her laptop"]
    assert laptop["address"] == "127.0.0.1" and "python-requests" in laptop["agent"]
    assert laptop["methods"] == ["password"] and is_recent(laptop["seen"])
    assert any(device["methods"] == ["issuer"] for device in devices)
    (key,) = found["api-keys.json"]["keys"]
    assert key["name"] == "Her shop" and key["hint"] == filled.key["hint"] and key["used"] is None
    assert key["scopes"]
    (credits,) = found["credits.json"]["credits"]
    assert credits["balance"] == credits["available"] == "3"
    (passkey,) = found["passkeys.json"]["passkeys"]
    assert passkey["name"] == "Her phone" and passkey["credential"] == b64(filled.passkey.id)
    (identity,) = found["identities.json"]["identities"]
    assert identity["issuer"] == corp.url and identity["email"] == filled.address
    access, *remembered = found["applications.json"]["applications"]
    assert access["kind"] == "access" and access["client"] == "imagesync-cli"
    assert access["scope"] == "openid email offline_access" and is_recent(access["created"])
    assert all(one["kind"] == "remembered" for one in remembered)
    assert found["consents.json"] == {"consents": []}
    trail = found["audit.json"]["entries"]
    assert [entry["seq"] for entry in trail] == list(range(1, len(trail) + 1))
    done = [entry["action"] for entry in trail]
    assert done[0] == "account.created" and {"passkey.added", "api_key.created",
                                             "export.asked"} <= set(done)
    assert all(is_recent(entry["at"]) for entry in trail)
    # The page of the API has the newest 50, the archive has all.
    assert done[::-1][:50] == [entry["action"] for entry in filled.call(
        "GET", "/v1/me/audit").json()["entries"] if entry["action"] not in (
            "export.ready", "export.downloaded")][:50]


def test_the_readme_explains_each_file(filled):
    readme = export(filled)["README.txt"]
    for name in FILES:
        assert f"\n{name}\n    " in readme
    assert filled.browser.server.url in readme


def test_nothing_secret_is_in_it(filled):
    text = json.dumps(export(filled))
    for secret in filled.secrets:
        assert secret not in text
    for word in ("$argon2id", "hash", "sealed"):
        assert word not in text


def test_nothing_of_another_user_is_in_it(server, filled):
    ada = Person(server, name="Ada Lovelace")
    text = json.dumps(export(ada), ensure_ascii=False)
    assert "Ada Lovelace" in text
    for foreign in (filled.id, filled.address, "Zoë", "Her phone", "Her shop", "Her laptop",
                    filled.key["hint"]):
        assert foreign not in text


def test_it_is_nobody_elses(server, filled):
    wanted = ask(filled)
    wait_until_ready(filled, wanted)
    eve = Person(server)
    for path in (f"/v1/me/exports/{wanted}", f"/v1/me/exports/{wanted}/file"):
        assert problem(eve.call("GET", path)) == (404, "not_found")
        assert problem(requests.get(server.url + path, timeout=30)) == (401, "signed_out")
    assert eve.call("GET", "/v1/me/exports").json() == {"exports": []}
    for wrong in ("x", "0" * 36, "00000000-0000-7000-8000-000000000000"):
        assert problem(eve.call("GET", f"/v1/me/exports/{wrong}")) == (404, "not_found")


def test_a_program_does_not_get_the_file(server):
    ada = Person(server)
    wanted = ask(ada)
    wait_until_ready(ada, wanted)
    device = Device(server, scope="openid account")
    assert "connected" in Reader(server).decide(ada, device.user_code).text
    token = device.poll_until("slow_down", "authorization_pending").json()["access_token"]
    headers = {"Authorization": "Bearer " + token}
    assert requests.get(server.url + "/v1/me", headers=headers, timeout=30).status_code == 200
    reply = requests.get(f"{server.url}/v1/me/exports/{wanted}/file", headers=headers, timeout=30)
    assert problem(reply) == (403, "forbidden")
    assert problem(requests.post(server.url + "/v1/me/exports", headers=headers,
                                 timeout=30)) == (403, "forbidden")


def test_a_mail_tells_that_it_is_there(server):
    ada = Person(server)
    before = len(mails(server, ada.address))
    wanted = ask(ada)
    mail = wait_for_mail(server, ada.address, before + 1)
    text = mail.get_content()
    assert mail["Subject"] == "Your data is ready" and server.url + "/account" in text
    assert wanted not in text
    found = status(ada, wanted)
    assert found["status"] == "ready" and found["expires"] - found["ready"] == 7 * 86400
    assert found["bytes"] > 0 and contents(file_of(ada, wanted))
    done = [entry for entry in ada.call("GET", "/v1/me/audit").json()["entries"]
            if entry["action"].startswith("export.")]
    assert [entry["action"] for entry in done] == ["export.downloaded", "export.ready",
                                                   "export.asked"]
    assert all(entry["subject"] == wanted for entry in done)


def test_it_lies_sealed_in_the_database(server):
    ada = Person(server, name="Ada Lovelace")
    export(ada)
    for name, data in stored(server).items():
        for readable in (b"Ada Lovelace", b"account.json", b"PK\x03\x04"):
            assert readable not in data, (name, readable)


def test_a_new_one_takes_the_place_of_the_old(server):
    ada = Person(server)
    first, second = ask(ada), None
    wait_until_ready(ada, first)
    second = ask(ada)
    wait_until_ready(ada, second)
    assert [one["id"] for one in ada.call("GET", "/v1/me/exports").json()["exports"]] == [second]
    assert problem(file_of(ada, first)) == (404, "not_found")
    assert contents(file_of(ada, second))["account.json"]["id"] == ada.id


def test_it_needs_a_fresh_proof(backend, tmp_path):
    with running(backend, tmp_path, fresh_minutes=1, **CHEAP) as server:
        ada = Person(server)
        age(server, "user_session", "authenticated_us = authenticated_us - 120000000")
        ada = types.SimpleNamespace(call=ada.call)
        eventually(lambda: ada.call("POST", "/v1/me/exports").status_code == 403)
        assert problem(ada.call("POST", "/v1/me/exports")) == (403, "reauthentication_required")
        assert rows(server, "SELECT count(*) FROM user_export") == [(0,)]


def age(server, table, change):
    """As if time had passed."""
    rows(server, f"UPDATE {table} SET {change}")


def engine(server):
    """Which of the statements below its database takes."""
    return "embedded" if server.embedded else "servers"


# Writing a piece of the archive takes for ever.
SLOW = {
    "embedded": [
        """CREATE VIEW slow AS WITH RECURSIVE n(i) AS
           (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) AS n FROM n""",
        """CREATE TRIGGER slow_part BEFORE INSERT ON user_export_part BEGIN SELECT n FROM slow; END"""],
    "servers": [
        """CREATE FUNCTION slow() RETURNS trigger AS
           'BEGIN PERFORM pg_sleep(600); RETURN NEW; END' LANGUAGE plpgsql""",
        """CREATE TRIGGER slow_part BEFORE INSERT ON user_export_part
           FOR EACH ROW EXECUTE FUNCTION slow()"""],
}
FAST = {
    "embedded": ["DROP TRIGGER slow_part"],
    # What a server that is gone has left running.
    "servers": ["""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()""",
                "DROP TRIGGER slow_part ON user_export_part"],
}


def test_a_server_that_dies_at_it_is_no_matter(backend, tmp_path):
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server, name="Ada")
        for statement in SLOW[engine(server)]:
            rows(server, statement)
        wanted = ask(ada)
        assert eventually(lambda: status(ada, wanted)["status"] == "running")
        assert problem(file_of(ada, wanted)) == (404, "not_found")
        server.kill()
        for statement in FAST[engine(server)]:
            rows(server, statement)
        # The leases of the dead have run out.
        age(server, "user_chore", "until_us = 1, due_us = 1")
        age(server, "user_export", "due_us = 1")
        server.start()
        wait_until_ready(ada, wanted)
        assert contents(file_of(ada, wanted))["account.json"]["name"] == "Ada"
        assert rows(server, "SELECT tries, state FROM user_export") == [(2, 2)]


def test_another_server_takes_it_over(tmp_path):
    with running("servers", tmp_path, **CHEAP) as server:
        ada = Person(server)
        for statement in SLOW["servers"]:
            rows(server, statement)
        wanted = ask(ada)
        assert eventually(lambda: status(ada, wanted)["status"] == "running")
        server.kill()
        for statement in FAST["servers"]:
            rows(server, statement)
        age(server, "user_chore", "until_us = 1, due_us = 1")
        age(server, "user_export", "due_us = 1")
        other = Server(tmp_path / "other", master_key=server.data / "master.key", **CHEAP,
                       **{name: server.environment["IMAGESYNC_" + name.upper()]
                          for name in ("database", "cache")})
        try:
            ada.server = other
            wait_until_ready(ada, wanted)
            assert contents(file_of(ada, wanted))["account.json"]["id"] == ada.id
        finally:
            other.stop()


def test_a_server_that_ends_leaves_it_to_the_next(backend, tmp_path):
    """And who was asked to end does so at once, also amid an export."""
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server)
        wanted = ask(ada)
        assert server.stop() == 0
        server.start()
        wait_until_ready(ada, wanted)


BREAK = {"embedded": "CREATE TRIGGER broken BEFORE INSERT ON user_export_part "
                     "BEGIN SELECT RAISE(ABORT, 'no'); END",
         "servers": "ALTER TABLE user_export_part ADD CONSTRAINT broken CHECK (part < 0)"}


def test_what_always_fails_is_given_up(backend, tmp_path):
    with running(backend, tmp_path, housekeeping_s=1, **CHEAP) as server:
        ada = Person(server)
        rows(server, BREAK[engine(server)])
        wanted = ask(ada)
        assert problem(ada.call("POST", "/v1/me/exports")) == (409, "conflict")

        def hurried():
            age(server, "user_export", "due_us = 1 WHERE state = 0")
            return status(ada, wanted)["status"] == "failed"
        assert eventually(hurried)
        assert status(ada, wanted)["reason"] == "fault"
        assert rows(server, "SELECT tries FROM user_export") == [(5,)]
        assert "export failed" in server.log_text()
        # Another one may be asked for.
        assert ada.call("POST", "/v1/me/exports").status_code == 202


def test_what_was_kept_long_enough_goes(backend, tmp_path):
    with running(backend, tmp_path, housekeeping_s=1, **CHEAP) as server:
        ada = Person(server)
        wanted = ask(ada)
        wait_until_ready(ada, wanted)
        assert rows(server, "SELECT count(*) FROM user_export_part") == [(1,)]
        age(server, "user_export", "due_us = 1")
        assert problem(file_of(ada, wanted)) == (404, "not_found")
        assert eventually(lambda: rows(server, "SELECT count(*) FROM user_export_part") == [(0,)])
        assert ada.call("GET", "/v1/me/exports").json() == {"exports": []}


def test_nothing_of_it_is_left_of_whoever_is_erased(backend, tmp_path):
    agreements = tmp_path / "agreements.json"
    agreements.write_text(json.dumps({"agreements": [
        {"id": "terms", "version": "1", "title": "Terms", "url": "/terms", "required": True}]}))
    with running(backend, tmp_path, agreements=agreements, erasure_grace_days=0, housekeeping_s=1,
                 **CHEAP) as server:
        agreed = [{"id": "terms", "version": "1"}]
        ada, bob = (Person(server, agreements=agreed) for _ in range(2))
        for person in (ada, bob):
            wait_until_ready(person, ask(person))
        assert ada.call("DELETE", "/v1/me").status_code < 300
        for table in ("user_account", "user_export", "user_export_part", "user_consent"):
            assert eventually(lambda table=table: rows(
                server, f"SELECT count(*) FROM {table}") == [(1,)]), table


def test_a_long_trail_is_all_there(backend, tmp_path):
    """More than a page of it, written while it is read."""
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server)
        for n in range(600):
            key = ada.call("POST", "/v1/api-keys", {"name": f"key {n}"})
            assert key.status_code == 201
            assert ada.call("DELETE", "/v1/api-keys/" + key.json()["id"]).status_code == 204
        trail = export(ada)["audit.json"]["entries"]
        assert [entry["seq"] for entry in trail] == list(range(1, 1203))
