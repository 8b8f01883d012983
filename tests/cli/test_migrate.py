# SPDX-License-Identifier: Apache-2.0
"""`imagesync migrate`, and what a server says of a database that it cannot use."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

MIGRATIONS = sorted((Path(__file__).resolve().parents[2] / "db/migrations").glob("*.sql"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "it.db"


@pytest.fixture
def migrate(run, file):
    return lambda *words: run("migrate", *words, "--database", f"sqlite:{file}")


def refuse(run, file, says, *words):
    """Every command that uses the database says why it does not, and leaves it as it is."""
    before = file.read_bytes() if file.exists() else None
    for command in (["migrate", "up"], ["migrate", "status"], ["serve", "--listen", "127.0.0.1:0"]):
        done = run(*command, "--database", f"sqlite:{file}", *words)
        assert done.returncode == 3, done.err
        assert says in done.err, done.err
        assert done.out == ""
    assert (file.read_bytes() if file.exists() else None) == before


def test_a_database_is_made_and_brought_up_to_date_once(migrate, file):
    missing = migrate("status")
    assert missing.returncode == 3 and "imagesync migrate up" in missing.err
    assert not file.exists()

    done = migrate("up")
    assert done.returncode == 0 and "up to date" in done.out, done.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert not file.with_name("it.db-wal").exists()
    again = migrate("up")
    assert again.returncode == 0 and again.out == "The database is up to date.\n"

    listed = migrate("status")
    assert listed.returncode == 0 and "up to date" in listed.out and "pending" not in listed.out
    entries = json.loads(migrate("status", "--json").out)
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    texts = {hashlib.sha256(path.read_bytes()).hexdigest() for path in MIGRATIONS}
    assert {entry["sha256"] for entry in entries} <= texts
    assert all(entry["applied_at"].endswith("Z") for entry in entries)


def test_the_data_folder_is_where_it_is_by_default(run, tmp_path):
    assert run("migrate", "up", "--data", tmp_path / "new").returncode == 0
    assert (tmp_path / "new/imagesync.db").exists()


def test_a_name_that_looks_like_a_uri_is_a_file(run, tmp_path):
    for name in ("file:a.db?mode=memory", ":memory:"):
        assert run("migrate", "up", "--database", f"sqlite:{name}").returncode == 0
        assert (tmp_path / name).exists()


def test_several_at_once(binary, env, file):
    command = [binary, "migrate", "up", "--database", f"sqlite:{file}"]
    started = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for _ in range(8)]
    for process in started:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err


def test_a_database_of_a_newer_version_is_refused(run, migrate, file):
    assert migrate("up").returncode == 0
    with contextlib.closing(sqlite3.connect(file)) as db:
        known, = db.execute("SELECT count(*) FROM sqlite_master"
                            " WHERE name = 'schema_migration'").fetchone()
        if not known:
            db.execute("CREATE TABLE schema_migration (number BIGINT PRIMARY KEY, name TEXT,"
                       " sha256 TEXT, applied_us BIGINT)")
        db.execute("INSERT INTO schema_migration VALUES (?, 'later', 'x', 1)",
                   (len(json.loads(migrate("status", "--json").out)) + 1,))
        db.commit()
    refuse(run, file, "newer version")


def test_a_changed_migration_is_refused(run, migrate, file):
    assert migrate("up").returncode == 0
    if not json.loads(migrate("status", "--json").out):
        pytest.skip("there is no migration yet")
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE schema_migration SET sha256 = 'other' WHERE number = 1")
        db.commit()
    refuse(run, file, "has changed since")


def test_a_server_that_may_not_migrate_says_what_is_missing(run, file):
    file.touch()
    done = run("migrate", "status", "--database", f"sqlite:{file}", "--json")
    entries = json.loads(done.out)
    if not entries:
        pytest.skip("there is no migration yet")
    assert done.returncode == 1
    done = run("serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:{file}",
               "--migrate-on-start", "no")
    assert done.returncode == 3 and "imagesync migrate up" in done.err


def test_what_is_no_database_is_refused_and_kept(run, file):
    file.write_bytes(b"this is a letter, and somebody may want it back" * 100)
    refuse(run, file, "damaged")


def test_a_damaged_database_is_refused(run, migrate, file):
    assert migrate("up").returncode == 0
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE filler (text TEXT)")
        db.commit()
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\xff" * 3996
    file.write_bytes(content)
    refuse(run, file, "damaged")


def test_a_folder_that_is_none_is_said(run, tmp_path):
    (tmp_path / "plain").write_text("no folder")
    for path in ("plain/it.db", "none/it.db"):
        done = run("migrate", "up", "--database", f"sqlite:{tmp_path / path}")
        assert done.returncode == 3 and str(tmp_path / path) in done.err
    done = run("migrate", "up", "--database", f"sqlite:{tmp_path}")
    assert done.returncode == 3 and "cannot open the database" in done.err


@pytest.mark.parametrize("url", ["oracle://me:s3cret@db/x", "s3cret", "", "sqlite:"])
def test_urls_that_name_no_database(run, url):
    done = run("migrate", "up", "--database", url, "--data", "/proc/none")
    assert done.returncode == 3 and "s3cret@" not in done.err
    assert "sqlite:FILE" in done.err or "/proc/none/imagesync.db" in done.err


def test_the_url_is_not_printed(run):
    done = run("config", extra_env={"IMAGESYNC_DATABASE": "sqlite:s3cret.db"})
    assert done.returncode == 0 and "database" in done.out and "s3cret" not in done.out


def test_wrong_settings_are_said(run, file):
    done = run("serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:{file}",
               "--migrate-on-start", "perhaps")
    assert done.returncode == 3 and "--migrate-on-start" in done.err
    assert run("migrate", "up", "--db-partitions", "5000").returncode == 2
