# SPDX-License-Identifier: Apache-2.0
"""The device authorization grant (RFC 8628): codes, the page where they are typed, polling."""

import json
import re
import time
from urllib.parse import urlsplit

import pytest
import requests

from backends import running, stored
from harness import eventually
from people import Person, wait_for_mail
from test_accounts import CHEAP
from test_oidc import Browser, refused, unb64, userinfo, verify

CLI, TV, SHOP = "imagesync-cli", "tv", "shop"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENTS = {"clients": [
    {"id": TV, "name": "The <i>TV</i>", "device_grant": True, "scope": "openid email"},
    {"id": SHOP, "name": "Shop", "redirect_uris": ["https://shop.example.com/cb"]},
]}


BACKENDS = ["embedded", "servers"]


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("device")
    (folder / "clients.json").write_text(json.dumps(CLIENTS))
    with running(backend, folder, oidc_clients=folder / "clients.json", device_poll_s=1,
                 **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server, name="Ada")


class Device:
    """A program without a browser."""

    def __init__(self, server, client=CLI, scope="openid email offline_access"):
        self.server, self.client = server, client
        reply = self.post("/oauth/device-authorization", scope=scope)
        assert reply.status_code == 200, reply.text
        self.__dict__.update(reply.json())

    def post(self, path, **fields):
        return requests.post(self.server.url + path, timeout=30, headers={"User-Agent": "A TV/1"},
                             data={"client_id": self.client, **fields})

    def poll(self, **more):
        return self.post("/oauth/token", grant_type=GRANT,
                         **{"device_code": self.device_code, **more})

    def poll_until(self, *errors):
        """The first answer that is none of these."""
        answers = []

        def answered():
            answers[:] = [self.poll()]
            return answers[0].status_code == 200 or answers[0].json()["error"] not in errors
        assert eventually(answered)
        return answers[0]


class Reader(Browser):
    """Somebody with a browser of their own, in which they open /oauth/device."""

    def open(self, code=None):
        return self.http.get(self.server.url + "/oauth/device", timeout=30,
                             params={} if code is None else {"user_code": code})

    def sign_in_and_open(self, person, code):
        page = self.open(code)
        assert "/oauth/device/sign-in" in page.text
        return self.sign_in(page, person)

    def decide(self, person, code, decision="allow"):
        return self.send(self.sign_in_and_open(person, code), decision=decision)


def test_discovery(server):
    found = requests.get(server.url + "/.well-known/openid-configuration", timeout=30).json()
    assert found["device_authorization_endpoint"] == server.url + "/oauth/device-authorization"
    assert GRANT in found["grant_types_supported"]


def test_the_whole_flow(server, ada):
    device = Device(server)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", device.user_code)
    assert device.verification_uri == server.url + "/oauth/device"
    assert device.expires_in == 600 and device.interval == 1
    refused(device.poll(), "authorization_pending")
    reader = Reader(server)
    page = reader.http.get(device.verification_uri_complete, timeout=30)
    page = reader.sign_in(page, ada)
    # What is asked, by whom, from where, and the code to compare.
    for text in ("Image Sync command line", ada.address, device.user_code, "127.0.0.1", "A TV/1",
                 "See your e-mail address", "Keep this access"):
        assert text in page.text, text
    done = reader.send(page, decision="allow")
    assert done.status_code == 200 and "connected" in done.text
    reply = device.poll_until("slow_down", "authorization_pending")
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store"
    tokens = reply.json()
    assert verify(server, tokens["id_token"])[1]["aud"] == CLI
    claims = verify(server, tokens["access_token"])[1]
    assert claims["sub"] == ada.id and claims["client_id"] == CLI
    assert userinfo(server, tokens["access_token"]).json()["email"] == ada.address
    again = Browser(server, CLI).refresh(tokens["refresh_token"])
    assert again.status_code == 200 and again.json()["refresh_token"] != tokens["refresh_token"]
    actions = [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]]
    assert "client.authorized" in actions
    assert "device was connected" in wait_for_mail(server, ada.address, 2)["Subject"]


def test_a_code_is_used_once(server, ada):
    device = Device(server)
    reader = Reader(server)
    page = reader.sign_in_and_open(ada, device.user_code)
    assert reader.send(page, decision="allow").status_code == 200
    assert reader.send(page, decision="allow").status_code == 404  # it was decided
    assert "Nothing waits" in reader.open(device.user_code).text
    tokens = device.poll().json()
    # Who shows the device code again has stolen it, or was stolen from: all of it ends.
    refused(device.poll(), "invalid_grant")
    assert userinfo(server, tokens["access_token"]).status_code == 401
    refused(Browser(server, CLI).refresh(tokens["refresh_token"]), "invalid_grant")


def test_denied(server, ada):
    device = Device(server)
    assert "Denied" in Reader(server).decide(ada, device.user_code, "deny").text
    refused(device.poll(), "access_denied")
    refused(device.poll(), "access_denied")
    actions = [entry["action"] for entry in ada.call("GET", "/v1/me/audit").json()["entries"]]
    assert "client.denied" in actions


def test_whoever_polls_too_soon_has_to_wait_longer(server):
    device = Device(server)
    refused(device.poll(), "authorization_pending")
    refused(device.poll(), "slow_down")
    # Five seconds more: what was the interval is too soon now.
    begun = time.monotonic()
    assert eventually(lambda: time.monotonic() - begun > device.interval * 1.5)
    refused(device.poll(), "slow_down")


@pytest.mark.parametrize("typed", ["lower", "blanks", "plain", "dots"])
def test_codes_are_read_as_people_type_them(server, ada, typed):
    device = Device(server)
    code = {"lower": device.user_code.lower(), "blanks": f" {device.user_code.replace('-', ' ')} ",
            "plain": device.user_code.replace("-", ""),
            "dots": device.user_code.replace("-", " . ")}[typed]
    assert device.user_code in Reader(server).sign_in_and_open(ada, code).text


@pytest.mark.parametrize("typed", ["AAAA-AAAA", "BCDF", "BCDF-GHJK-L", "BCDF-GHJ1", "<script>",
                                   "' OR 1=1", "BCDF-GHJÄ"])
def test_what_is_no_code(server, ada, typed):
    reader = Reader(server)
    page = reader.sign_in_and_open(ada, "")
    assert 'name="user_code"' in page.text
    page = reader.open(typed)
    assert page.status_code == 400 and "eight letters" in page.text and "<script" not in page.text


def test_nobody_finds_a_code_by_trying(server, ada):
    device = Device(server)
    reader = Reader(server)
    reader.sign_in_and_open(ada, "")
    statuses = [reader.open("BCDF-GHJK").status_code for _ in range(14)]
    assert statuses[:10] == [404] * 10 and 429 in statuses
    page = reader.open(device.user_code)  # nor does a right one get through now
    assert page.status_code == 429 and int(page.headers["Retry-After"]) >= 1
    assert "decision" not in page.text
    # Who is not signed in is not told whether there is such a code.
    assert "/oauth/device/sign-in" in Reader(server).open(device.user_code).text


def test_the_form_is_good_in_its_own_session_only(server, ada):
    device, other = Device(server), Device(server)
    reader = Reader(server)
    page = reader.sign_in_and_open(ada, device.user_code)
    for headers in ({"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}):
        assert reader.send(page, headers, decision="allow").status_code == 403
    assert reader.send(page, token="x" * 43, decision="allow").status_code == 403
    # It decides on what was shown, and nothing else.
    wrong = reader.form(reader.open(other.user_code))[1]["request"]
    assert reader.send(page, request=wrong, decision="allow").status_code == 403
    mallory = Reader(server)
    mallory.sign_in_and_open(Person(server), "")
    assert mallory.send(page, decision="allow").status_code == 403
    sign_in = Reader(server).open(device.user_code)
    assert mallory.sign_in(sign_in, ada).status_code == 403
    refused(device.poll(), "authorization_pending")
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "form-action 'self';" in policy


def test_names_are_text(server, ada):
    device = Device(server, TV, "openid")
    page = Reader(server).sign_in_and_open(ada, device.user_code)
    assert "&lt;i&gt;TV" in page.text and "<i>" not in page.text


@pytest.mark.parametrize("client,fields,error,status", [
    (SHOP, {}, "unauthorized_client", 400), ("nobody", {}, "invalid_client", 401),
    (TV, {"scope": "openid account"}, "invalid_scope", 400),
    (TV, {"scope": "admin"}, "invalid_scope", 400),
    (CLI, {"client_secret": "x"}, "invalid_client", 401),
])
def test_who_may_ask(server, client, fields, error, status):
    refused(requests.post(server.url + "/oauth/device-authorization", timeout=30,
                          data={"client_id": client, **fields}), error, status)


def test_codes_belong_to_their_client(server, ada):
    device = Device(server)
    Reader(server).decide(ada, device.user_code)
    refused(device.poll(client_id=TV), "invalid_grant")
    refused(device.poll(client_id=SHOP), "unauthorized_client")
    refused(device.poll(device_code="x" * 43), "invalid_grant")
    refused(device.poll(device_code="short"), "invalid_grant")
    refused(device.poll(device_code=""), "invalid_request")
    assert device.poll().status_code == 200


def test_signed_out_before_it_was_fetched(server, ada):
    device = Device(server)
    Reader(server).decide(ada, device.user_code)
    ada.call("DELETE", "/v1/sessions")
    refused(device.poll(), "access_denied")


def test_restarts_are_survived_and_codes_expire(server, ada):
    device = Device(server)
    Reader(server).decide(ada, device.user_code)
    waiting = Device(server)
    server.stop()
    server.environment["IMAGESYNC_DEVICE_CODE_S"] = "2"
    try:
        server.start()
        assert device.poll().status_code == 200
        refused(waiting.poll(), "authorization_pending")
        short = Device(server)
        assert short.expires_in == 2
        refused(short.poll_until("authorization_pending", "slow_down"), "expired_token")
        reader = Reader(server)
        page = reader.sign_in_and_open(ada, short.user_code)
        assert page.status_code == 404 and "too old" in page.text
    finally:
        server.stop()
        del server.environment["IMAGESYNC_DEVICE_CODE_S"]
        server.start()


def test_a_dump_gives_nobody_a_code(server):
    """Neither code is in the database: it is searched for as it was given."""
    device = Device(server)
    for name, piece in stored(server).items():
        for code in (device.device_code, device.user_code, device.user_code.replace("-", "")):
            assert code.encode() not in piece, name
        assert unb64(device.device_code) not in piece, name


def test_the_command_lines_client_can_be_turned_off(start):
    server = start(cli_client="no")
    refused(requests.post(server.url + "/oauth/device-authorization", timeout=30,
                          data={"client_id": CLI}), "invalid_client", 401)


def test_asking_is_throttled(start):
    server = start(attempts_per_address=3)
    replies = [requests.post(server.url + "/oauth/device-authorization", timeout=30,
                             data={"client_id": CLI}) for _ in range(5)]
    assert [reply.status_code for reply in replies[:3]] == [200] * 3
    refused(replies[-1], "slow_down", 429)
    assert int(replies[-1].headers["Retry-After"]) >= 1
    assert urlsplit(replies[0].json()["verification_uri"]).path == "/oauth/device"
