# SPDX-License-Identifier: Apache-2.0
"""Attempts: whoever guesses waits, and the account's owner does not, where they usually are."""

import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from backends import running
from harness import descendants, eventually
from people import PASSWORD, Person, new_address, problem, token_in, wait_for_mail
from test_accounts import CHEAP, add_totp, totp

BACKENDS = ["embedded", "servers"]
WRONG = "not the right password"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    with running(backend, tmp_path_factory.mktemp("attempts"), **CHEAP) as server:
        yield server


@pytest.fixture
def ada(server):
    return Person(server)  # at home: 127.0.0.1


class From(requests.adapters.HTTPAdapter):
    """Connects from an address of its own: all of 127.0.0.0/8 is this machine."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


def at(address):
    http = requests.Session()
    http.mount("http://", From(address))
    return http


def sign_in(server, address, http=requests, password=PASSWORD, **more):
    return http.post(server.url + "/v1/sessions", timeout=60, json={
        "email": address, "password": password, "cookie": False, **more})


def hammer(server, address, http):
    """Guesses until it is told to wait; how many guesses were looked at."""
    for n in range(50):
        reply = sign_in(server, address, http, WRONG)
        if reply.status_code == 429:
            return n
        assert problem(reply) == (401, "wrong_credentials")
    raise AssertionError("never told to wait")


def test_strangers_do_not_keep_the_owner_out(server, ada):
    assert 3 <= hammer(server, ada.address, at("127.9.0.1")) <= 20
    # Neither from another address, with the right password or without.
    assert problem(sign_in(server, ada.address, at("127.9.0.2"), WRONG)) == \
        problem(sign_in(server, ada.address, at("127.9.0.3"))) == (429, "too_many_attempts")
    # She is where she has signed in before.
    assert sign_in(server, ada.address).status_code == 201
    # That is no help to strangers, and neither are her own mistakes theirs.
    assert sign_in(server, ada.address, at("127.9.0.4"), WRONG).status_code == 429
    assert sign_in(server, ada.address, password=WRONG).status_code == 401
    assert sign_in(server, ada.address).status_code == 201


def test_home_has_its_own_bound(server, ada):
    hammer(server, ada.address, requests)
    reply = sign_in(server, ada.address)
    assert problem(reply) == (429, "too_many_attempts") and int(reply.headers["Retry-After"]) >= 1
    # Not known to be hers, and nobody has tried from there.
    assert sign_in(server, ada.address, at("127.9.1.1")).status_code == 201


def test_a_place_that_was_signed_in_from_is_known(server, ada):
    phone = at("127.9.2.1")
    assert sign_in(server, ada.address, phone).status_code == 201
    hammer(server, ada.address, at("127.9.2.2"))
    assert sign_in(server, ada.address, phone).status_code == 201


def test_a_reset_by_mail_leads_past_strangers(server, ada):
    hammer(server, ada.address, at("127.9.3.1"))
    away = at("127.9.3.2")
    assert sign_in(server, ada.address, away).status_code == 429
    assert away.post(server.url + "/v1/password-resets", json={"email": ada.address},
                     timeout=30).status_code == 202
    token = token_in(wait_for_mail(server, ada.address, 2))
    reply = away.post(server.url + "/v1/password-resets/complete", timeout=60,
                      json={"token": token, "password": "another good password"})
    assert reply.status_code == 204
    assert sign_in(server, ada.address, away, "another good password").status_code == 201


def test_mails_to_one_address_are_bounded(server):
    address, replies = new_address(), []
    for n in range(8):
        replies.append(at(f"127.9.4.{n + 1}").post(
            server.url + "/v1/registrations", json={"email": address}, timeout=30).status_code)
    assert replies[:3] == [202] * 3 and replies[-1] == 429


@pytest.mark.parametrize("wrong", ["000000", "AAAA-AAAA-AAAA-AAAA"])
def test_codes_cannot_be_guessed_at(server, ada, wrong):
    secret, recovery = add_totp(ada)
    codes = {totp(secret, time.time() + 30 * n) for n in range(-2, 3)}
    replies = [sign_in(server, ada.address, at("127.9.5.1"),
                       code=wrong if wrong not in codes else "000001").status_code
               for _ in range(8)]
    assert replies[0] == 401 and replies[-1] == 429, replies
    for code in (totp(secret), recovery[0]):
        assert sign_in(server, ada.address, at("127.9.5.2"), code=code).status_code == 429
    assert sign_in(server, ada.address, code=recovery[0]).status_code == 201  # at home


def test_a_fresh_proof_cannot_be_guessed_at(server, ada):
    replies = [ada.call("POST", "/v1/sessions/proof", {"password": WRONG}).status_code
               for _ in range(8)]
    assert replies[0] == 401 and replies[-1] == 429
    assert ada.call("POST", "/v1/sessions/proof", {"password": PASSWORD}).status_code == 429


def test_a_network_has_its_own_bound(backend, tmp_path):
    with running(backend, tmp_path, **{**CHEAP, "attempts_per_address": 10}) as server:
        http = at("127.9.6.1")
        replies = [sign_in(server, new_address(), http, WRONG).status_code for _ in range(14)]
        assert replies[:9] == [401] * 9 and replies[-1] == 429, replies
        assert sign_in(server, new_address(), at("127.9.6.2"), WRONG).status_code == 401


def test_without_the_cache_this_process_counts(backend, tmp_path):
    if backend == "embedded":
        pytest.skip("its cache is in the process")
    with running(backend, tmp_path, **CHEAP) as server:
        ada = Person(server)
        server.redis.kill()
        server.redis.wait()
        assert eventually(lambda: sign_in(server, new_address()).status_code == 401)
        hammer(server, ada.address, at("127.9.7.1"))
        assert sign_in(server, ada.address, at("127.9.7.2")).status_code == 429
        assert sign_in(server, ada.address).status_code == 201


# A flood

ATTEMPTS, NETWORKS, GUESSERS = 10000, 250, 8


def memory_mib(server):
    """What all its processes hold of their own, in MiB."""
    total = 0
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Dirty:", "Private_Clean:")):
                total += int(line.split()[1])
    return total / 1024


class Flood:
    """Attempts from many networks over connections that stay open, most of them at one account."""

    def __init__(self, server, victim):
        self.port, self.victim = server.port, victim
        self.counts, self.lock = {}, threading.Lock()

    def run(self, first, last):
        for network in range(first, last):
            with socket.create_connection(
                    ("127.0.0.1", self.port), 60,
                    (f"127.8.{network // 200}.{network % 200 + 1}", 0)) as to:
                for n in range(ATTEMPTS // NETWORKS):
                    # Every eighth at somebody else: nobody has tried that address before.
                    status = guess(to, self.victim if n % 8 else f"nobody{network}x{n}@example.com")
                    with self.lock:
                        self.counts[status] = self.counts.get(status, 0) + 1


def guess(to, address):
    """One attempt over that connection, with as little work as may be: there are many. Its status."""
    body = json.dumps({"email": address, "password": WRONG, "cookie": False})
    to.sendall(f"POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    reply = b""
    while True:
        more = to.recv(65536)
        assert more, reply
        reply += more
        head, end, rest = reply.partition(b"\r\n\r\n")
        if end and len(rest) >= int(re.search(rb"Content-Length: (\d+)", head, re.I)[1]):
            return int(head.split()[1])


def test_hashes_at_once_are_bounded(backend, tmp_path):
    if backend != "embedded":
        pytest.skip("hashing knows no back ends")
    with running(backend, tmp_path, **{**CHEAP, "password_memory_mib": 64,
                                       "password_parallel": 1}) as server:
        assert sign_in(server, new_address(), password=WRONG).status_code == 401
        before = sum(server.memory_peaks().values())  # with one hash
        with ThreadPoolExecutor(24) as guessers:
            replies = list(guessers.map(lambda _: sign_in(server, new_address(), password=WRONG),
                                        range(48)))
        assert {reply.status_code for reply in replies} <= {401, 503}
        assert sum(server.memory_peaks().values()) < before + 60


def test_ten_thousand_attempts(backend, tmp_path):
    with running(backend, tmp_path, **{**CHEAP, "attempts_per_address": 1000}) as server:
        ada = Person(server)
        flood = Flood(server, ada.address)
        flood.run(0, 2)  # so that everything is there that stays
        before, peak, waits, entered = memory_mib(server), 0, [], []
        step = (NETWORKS - 2) // GUESSERS
        with ThreadPoolExecutor(GUESSERS) as guessers:
            tasks = [guessers.submit(flood.run, 2 + n * step, 2 + (n + 1) * step)
                     for n in range(GUESSERS)]
            while not all(task.done() for task in tasks):
                begin = time.monotonic()
                assert requests.get(server.url + "/healthz", timeout=30).status_code == 200
                assert ada.call("GET", "/v1/me").status_code == 200
                waits.append(time.monotonic() - begin)
                reply = sign_in(server, ada.address)
                entered.append(reply.status_code)
                if reply.ok:
                    ada.keep(reply)  # of a hundred sessions the oldest makes room
                peak = max(peak, memory_mib(server))
            for task in tasks:
                task.result()
        assert sum(flood.counts.values()) == ATTEMPTS and set(flood.counts) <= {401, 429, 503}
        # What the account was tried with at most: the free ones, and one a wait that doubles.
        assert flood.counts[429] > ATTEMPTS * 0.8, flood.counts
        # Others are answered meanwhile, and she gets in, unless there is no turn at hashing.
        assert sorted(waits)[len(waits) // 2] < 1 and max(waits) < 5, waits
        assert set(entered) <= {201, 503} and 201 in entered, entered
        # Two hashes at a time, 8 MiB each; what is counted of an attempt is some hundred bytes.
        assert peak < before + 64, (before, peak)
        assert sign_in(server, ada.address).status_code == 201
