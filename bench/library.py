#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a device and the grid ask of a library, in a small one and in a large one, over HTTP.

    bench/library.py [--photos 1000000] [--runs 300] [--database embedded|servers]

A few hundred photos come in as a device sends them. The rest is put straight into the tables behind them,
with the terms of theirs: what no page opens needs no content. So the pages are real, and found among
all the others. `servers` is PostgreSQL instead of SQLite.
"""

import argparse
import contextlib
import http.client
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from user_server import Person  # noqa: E402

from asked import at_most  # noqa: E402
from backends import BINARIES, rows, running  # noqa: E402
from test_accounts import CHEAP  # noqa: E402
from uploading import create, jpeg  # noqa: E402

SMALL = 1000
COMMON, RARE = 240, 120  # photos that are opened: more than a page of each kind
MINUTE_US = 60_000_000


class Sqlite:
    state = "randomblob(700)"
    id = "CAST(printf('000000pé%07d', i) AS BLOB)"  # with version and variant where they belong

    def __init__(self, server):
        self.database = sqlite3.connect(server.data / "imagesync.db", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144", "temp_store = MEMORY"):
            self.database.execute(f"PRAGMA {pragma}").fetchall()

    @staticmethod
    def numbers(n):
        return f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})"

    @staticmethod
    def blob(text):
        return f"x'{text}'"

    def run(self, sql):
        self.database.execute(sql)

    def close(self):
        self.database.close()


class Postgres:
    state = "decode(repeat(md5(i::text), 44), 'hex')"
    id = "convert_to('000000pé' || lpad(i::text, 7, '0'), 'UTF8')"

    def __init__(self, server):
        self.url = server.environment["IMAGESYNC_DATABASE"]

    @staticmethod
    def numbers(n):
        return f"WITH n AS (SELECT i FROM generate_series(1, {n}::bigint) i)"

    @staticmethod
    def blob(text):
        return f"'\\x{text}'::bytea"

    def run(self, sql):
        subprocess.run([BINARIES / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql], check=True)

    def close(self):
        self.run("ANALYZE")


def one_album(person, name):
    reply = person.call("POST", "/v1/albums", {"name": name})
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


def bring(person):
    """(its album, its photos): by turns at the sea and in the snow, the last of them at sunrise."""
    album, photos = one_album(person, "Album"), []
    for i in range(COMMON + RARE):
        data = jpeg(500)
        photo = create(person, len(data), body=data, filename="p.jpg").headers["Photo-Id"]
        caption = ["Tal", "Ufer"][i % 2] + (" Sonnenaufgang" if i >= COMMON else "")
        change = {"caption": caption, "tags": [["Eis", "See"][i % 2]], "albums": [album] if i % 2 else []}
        reply = person.call("PATCH", f"/v1/photos/{photo}", change, headers={"If-Match": '"1"'})
        assert reply.status_code == 200, reply.text
        photos.append(photo)
    return album, photos


def fill(person, photos, n):
    """As if the library had n photos more, older than those that it has."""
    seq = person.call("GET", "/v1/library").json()["seq"]
    kind = Sqlite if person.server.embedded else Postgres
    user, *hexes = (kind.blob(one.replace("-", "")) for one in [person.id, *photos])
    ((newest,),) = rows(person.server, "SELECT min(sort_us) FROM sync_photo")
    both = [rows(person.server, f"SELECT term FROM sync_term WHERE photo_id = {hexes[odd]} ORDER BY term")
            for odd in (0, 1)]
    person.server.stop()
    database = kind(person.server)
    blob, numbers = database.blob, database.numbers(n)
    database.run(f"INSERT INTO event {numbers} SELECT {user}, 'library', {seq} + i, 'photo', {database.id}, 1, 0,"
                 f" NULL, 1, '', {database.state} FROM n")
    database.run(f"UPDATE event_head SET seq = {seq + n} WHERE user_id = {user}")
    database.run(f"INSERT INTO sync_object {numbers} SELECT {user}, 'photo', {database.id}, 1, {seq} + i, 0, 1,"
                 f" {database.state} FROM n")
    database.run(f"INSERT INTO sync_photo {numbers} SELECT {user}, {database.id}, 0,"
                 f" {newest} - ({n} - i + 1) * {MINUTE_US}, NULL, {blob('00')} FROM n")
    # Whole terms one after the other, as the key of the table has them, and the other index at the end.
    database.run("DROP INDEX sync_term_photo")
    for odd, terms in enumerate(both):
        for (term,) in terms:
            database.run(f"INSERT INTO sync_term SELECT user_id, {term}, sort_us, photo_id FROM sync_photo"
                         f" WHERE user_id = {user} AND shelf = 0 AND sort_us < {newest}"
                         f" AND sort_us / {MINUTE_US} % 2 = {odd} ORDER BY sort_us, photo_id")
    database.run("CREATE INDEX sync_term_photo ON sync_term (user_id, photo_id)")
    # What is rare is so from one end to the other.
    for i, photo in enumerate(hexes[COMMON:]):
        for table in ("sync_photo", "sync_term"):
            database.run(f"UPDATE {table} SET sort_us = sort_us - {MINUTE_US * (n // RARE) * i}"
                         f" WHERE user_id = {user} AND photo_id = {photo}")
    database.close()
    person.server.start()


def pages(album, since):
    return {
        "100 changes": f"/v1/changes?since={since}&limit=100",
        "400 of all objects": "/v1/objects?limit=400",
        "first page": "/v1/photos",
        "between two dates": "/v1/photos?from=2020-01-01&to=2100-01-01",
        "an album": f"/v1/photos?album={album}",
        "a tag of every second": "/v1/photos?tag=See",
        "a word of every second": "/v1/photos?text=ufer",
        "a rare word": "/v1/photos?text=sonnenaufgang",
        "that and a tag of every second": "/v1/photos?tag=See&text=sonnenaufgang",
        "two that no photo has together": "/v1/photos?tag=See&text=tal",
    }


def measure(person, path, runs):
    """(median, 99th percentile) in ms, how many it gave."""
    connection = http.client.HTTPConnection("127.0.0.1", person.server.port, timeout=60)
    headers, times = {"Authorization": person.http.headers["Authorization"]}, []
    for _ in range(runs):
        start = time.perf_counter()
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        body = reply.read()
        times.append((time.perf_counter() - start) * 1000)
        assert reply.status == 200, body
        if sum(times) > 20_000:
            break  # so slow that it needs no more
    return statistics.median(times), sorted(times)[int(len(times) * .99)], body.count(b'"kind":')


def library(backend, n, runs):
    """What each page takes in a library of n photos."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, running(
            backend, Path(folder), services="user,sync", **CHEAP) as server:
        person = Person(server)
        album, photos = bring(person)
        start = time.monotonic()
        fill(person, photos, n - len(photos))
        ((count,),) = rows(server, "SELECT count(*) FROM sync_photo")
        print(f"{count:,} photos made in {time.monotonic() - start:.0f} s", flush=True)
        for i in range(100):
            one_album(person, f"Album {i}")
        seq = person.call("GET", "/v1/library").json()["seq"]
        return {what: measure(person, path, runs) for what, path in pages(album, seq - 100).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--database", choices=("embedded", "servers"), default="embedded")
    arguments = parser.parse_args()
    small, large = (library(arguments.database, n, arguments.runs) for n in (SMALL, arguments.photos))
    for what, (median, p99, n) in large.items():
        asked = at_most(median, 20 if what == "100 changes" else 30)
        print(f"{what}, {n} of {arguments.photos:,} photos: median {median:.1f} ms{asked}, p99 {p99:.1f} ms; "
              f"of {SMALL:,}: {small[what][0]:.1f} and {small[what][1]:.1f} ms")


if __name__ == "__main__":
    main()
