# SPDX-License-Identifier: Apache-2.0
"""`imagesync audit verify`: rows of the audit trail that were tampered with are found."""

import contextlib
import os
import shutil
import sqlite3
import subprocess

import pytest

from backends import running
from harness import BINARY, Server
from people import Person

CHEAP = {"password_ops": 1, "password_memory_mib": 8, "attempts_per_address": 100000}


def verify(data, *words):
    env = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESYNC_")}
    done = subprocess.run([BINARY, "audit", "verify", "--data", data, *map(str, words)], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("audit"), **CHEAP)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def people(server):
    both = [Person(server), Person(server)]
    for person in both:
        for _ in range(3):
            assert person.sign_in().status_code == 201
    return both


@pytest.fixture
def copy(server, people, tmp_path):
    """A database with both in it, to tamper with."""
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(server.data / "master.key", folder / "master.key")
    with contextlib.closing(sqlite3.connect(server.data / "imagesync.db")) as live, \
            contextlib.closing(sqlite3.connect(folder / "imagesync.db")) as backup:
        live.backup(backup)
    assert people
    return folder


def tamper(folder, *statements, user):
    with contextlib.closing(sqlite3.connect(folder / "imagesync.db")) as db:
        for statement in statements:
            changed = db.execute(statement, {"u": bytes.fromhex(user.id.replace("-", ""))})
            assert changed.rowcount != 0
        db.commit()


def test_all_rows_hold_while_the_server_runs(server, people):
    assert verify(server.data) == (0, "8 rows of 2 trails hold.\n")
    for name in (people[0].id, people[0].address):
        assert verify(server.data, "--user", name) == (0, "4 rows of 1 trails hold.\n")


@pytest.mark.parametrize("statements, row", [
    (["UPDATE user_audit SET action = 'x' WHERE user_id = :u AND seq = 2"], 2),
    (["UPDATE user_audit SET at_us = at_us + 1 WHERE user_id = :u AND seq = 1"], 1),
    (["UPDATE user_audit SET detail_sealed = (SELECT detail_sealed FROM user_audit WHERE user_id ="
      " :u AND seq = 2) WHERE user_id = :u AND seq = 3"], 3),
    (["DELETE FROM user_audit WHERE user_id = :u AND seq = 1"], 1),
    (["DELETE FROM user_audit WHERE user_id = :u AND seq = 3"], 3),
    (["INSERT INTO user_audit SELECT user_id, 5, at_us, action, detail_sealed, mac FROM user_audit"
      " WHERE user_id = :u AND seq = 4"], 5),
    (["DELETE FROM user_audit WHERE user_id = :u AND seq = 2",
      "UPDATE user_audit SET seq = seq - 1 WHERE user_id = :u AND seq > 2"], 2),
    (["UPDATE user_audit SET seq = 9 WHERE user_id = :u AND seq = 2",
      "UPDATE user_audit SET seq = 2 WHERE user_id = :u AND seq = 3",
      "UPDATE user_audit SET seq = 3 WHERE user_id = :u AND seq = 9"], 2),
])
def test_tampering_shows(copy, people, statements, row):
    tamper(copy, *statements, user=people[0])
    status, said = verify(copy)
    assert status == 1 and f"{people[0].id}: row {row} is wrong" in said, said
    assert "1 trails are wrong" in said and people[1].id not in said
    assert verify(copy, "--user", people[1].address)[0] == 0


def test_a_trail_that_is_gone_shows(copy, people):
    tamper(copy, "DELETE FROM user_audit WHERE user_id = :u", user=people[0])
    status, said = verify(copy)
    assert status == 1 and f"{people[0].id}: there is an account without a single row" in said


def test_rows_cut_off_at_the_end_show_against_kept_heads(copy, people, tmp_path):
    heads = tmp_path / "heads"
    assert verify(copy, "--heads", heads)[0] == 0
    kept = heads.read_bytes()
    assert people[0].id.encode() in kept and people[1].id.encode() in kept
    assert verify(copy, "--heads", heads)[0] == 0, "nothing has changed"

    tamper(copy, "DELETE FROM user_audit WHERE user_id = :u AND seq > 2", user=people[0])
    assert verify(copy)[0] == 0, "without the heads it does not show"
    status, said = verify(copy, "--heads", heads)
    assert status == 1 and f"{people[0].id}: rows after 2 are missing" in said, said
    assert verify(copy, "--heads", heads, "--user", people[0].id)[0] == 1
    assert verify(copy, "--heads", heads, "--user", people[1].id)[0] == 0
    assert heads.read_bytes() == kept, "left as it is"

    tamper(copy, "DELETE FROM user_audit WHERE user_id = :u",
           "DELETE FROM user_account WHERE user_id = :u", user=people[1])
    status, said = verify(copy, "--heads", heads)
    assert status == 1 and f"{people[1].id}: rows after 0 are missing" in said, said


def test_heads_follow_what_is_added(server, people, tmp_path):
    heads = tmp_path / "heads"
    assert verify(server.data, "--heads", heads)[0] == 0
    before = heads.read_text()
    assert people[1].sign_in().status_code == 201
    assert verify(server.data, "--heads", heads)[0] == 0
    assert heads.read_text() != before


def test_what_cannot_be_checked_is_said(copy, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("rubbish\n")
    assert "line 1 is no head" in verify(copy, "--heads", broken)[1]
    assert verify(copy, "--user", "nobody@example.com")[0] == 3
    assert verify(copy, "--user", "x")[0] == 2
    (copy / "master.key").unlink()
    status, said = verify(copy)
    assert status == 3 and "--master-key" in said
    assert not (copy / "master.key").exists(), "a check makes no key"


def test_a_trail_that_nobody_has_begun_holds(tmp_path):
    with running("servers", tmp_path, **CHEAP) as server:
        done = subprocess.run([BINARY, "audit", "verify", "--data", server.data],
                              env=server.environment, capture_output=True, text=True, timeout=60,
                              check=False)
        assert (done.returncode, done.stdout) == (0, "0 rows of 0 trails hold.\n"), done.stderr
