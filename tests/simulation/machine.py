# SPDX-License-Identifier: Apache-2.0
"""The server and what it runs on, each part of which can fail: its processes, the clock, the disk, and
the lines to the database, the cache, the queue, the store and Kafka."""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("integration", "contract", "kafka")]

from backends import PROXY_ADDRESS, Proxy, free_address  # noqa: E402
from harness import BINARY  # noqa: E402
from part import Part  # noqa: E402
from postgres_server import psql  # noqa: E402
from wire import Wire  # noqa: E402

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
DISK_MIB = 96
BUCKET = "simulation"
MIGRATED = "migrated"  # the database that those of all runs are copies of
SETTINGS = {"services": "user,sync,worker", "password_ops": 1, "password_memory_mib": 8,
            "attempts_per_address": 100000}


def may_mount(folder):
    """Whether a disk of a size of its own can be had there; it is, then."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "imagesync", folder],
                          capture_output=True, check=False).returncode == 0


def migrate(database):
    """Makes what the databases of runs are copied from: to migrate each takes longer than all its steps."""
    psql(database, f"CREATE DATABASE {MIGRATED}")
    settings = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESYNC_")}
    subprocess.run([BINARY, "migrate", "up"], check=True, capture_output=True, timeout=120,
                   env={**settings, "IMAGESYNC_DATABASE": f"{database.rsplit('/', 1)[0]}/{MIGRATED}"})


def remove_what_faketime_left():
    """Shared memory and semaphores named after processes that are gone, also workers that were killed."""
    for left in (*Path("/dev/shm").glob("faketime_shm_*"), *Path("/dev/shm").glob("sem.faketime_sem_*")):
        if not Path("/proc", left.name.rsplit("_", 1)[1]).exists():
            left.unlink(missing_ok=True)


class Machine:
    """`backend`: what many runs share: nothing, or URLs of a `database` and a `cache`, perhaps of
    a `queue`, a `store` of S3, and Kafka for `events` with the `events_line` that leads to it. With
    `split` the user and the sync part are processes of their own, behind nginx."""

    def __init__(self, folder, backend):
        self.folder, self.wires, self.full, self.cut_off = folder, {}, False, {}
        self.closing, self.kafka, self.topic = contextlib.ExitStack(), None, None
        self.counts = Counter()  # of all that was done, went wrong and was answered
        self.disk = folder / "disk"
        self.disk.mkdir(parents=True)
        self.mounted = may_mount(self.disk)
        self.data = self.disk / "data"
        self.clock_file, self.clock_s, self.days = folder / "clock", 0, 0
        # S3 refuses whoever's clock is wrong, and librdkafka waits by one that cannot be faked.
        self.jumps = FAKETIME.exists() and "store" not in backend
        settings = dict(SETTINGS)
        if backend:
            settings.update(self._lines(backend), migrate_on_start="yes")
        self.set_clock(0)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("IMAGESYNC_")} | self.faked()
        self.change_settings(**settings)
        self.down = set()  # parts that were killed and wait to be started
        if "split" in backend:
            self._split()
        else:
            self.parts, self.proxy = [Part("server", folder, self.data, SETTINGS["services"])], None

    def _split(self):
        user, nobody, sync = [free_address() for _ in range(3)]
        self.proxy = Proxy(self.folder / "proxy", user, nobody, sync)
        self.closing.callback(self.proxy.stop)
        self.change_settings(trusted_proxies=PROXY_ADDRESS, public_url=self.url)
        self.parts = [
            Part("user", self.folder, self.data, "user,worker", user),
            Part("sync", self.folder, self.disk / "sync", "sync,worker", sync,
                 IMAGESYNC_MIGRATE_ON_START="no", IMAGESYNC_USER_SERVICE=f"http://{user}",
                 IMAGESYNC_SERVICE_KEY=str(self.data / "service.key"))]

    @property
    def port(self):
        return (self.proxy or self.parts[0]).port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _lines(self, backend):
        """Its own database of the server, behind lines of its own."""
        name = f"run_{os.getpid()}_{self.folder.name.replace('-', '_')}"
        psql(backend["database"], f"CREATE DATABASE {name} TEMPLATE {MIGRATED}")
        self.closing.callback(psql, backend["database"], f"DROP DATABASE {name} WITH (FORCE)")
        found = {}
        for part in ("database", "cache", "queue"):
            if part in backend:
                found[part] = self._wired(part, backend[part])
        if "store" in backend:
            store = backend["store"]
            found.update(blobs="s3", s3_endpoint=self._wired("store", store.endpoint),
                         s3_bucket=BUCKET, s3_prefix=f"{name}/", s3_access_key=store.key,
                         s3_secret_key=store.secret, s3_timeout_ms=5000)
        else:
            found["blobs"] = self.disk / "blobs"
        if "events" in backend:
            found["events"] = self._events(backend["events"], backend["events_line"], name)
        found["database"] = found["database"].rsplit("/", 1)[0] + "/" + name
        return found

    def _events(self, kafka, line, name):
        """A topic of its own."""
        self.kafka, self.topic, self.wires["events"] = kafka, f"{name}.library", line
        kafka.make_topic(self.topic, 2)
        self.closing.callback(line.mend)
        return f"kafka://127.0.0.1:{line.port}/{name}"

    def _wired(self, part, url):
        port = urlsplit(url).port
        self.wires[part] = Wire(port)
        self.closing.callback(self.wires[part].close)
        return url.replace(f":{port}", f":{self.wires[part].port}")

    def change_settings(self, **settings):
        self.environment.update({"IMAGESYNC_" + name.upper(): str(value)
                                 for name, value in settings.items()})

    def faked(self):
        if not self.jumps:
            return {}
        return {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_FORCE_MONOTONIC_FIX": "0", "NO_FAKE_STAT": "1"}

    def start(self):
        """What does not run."""
        if self.kafka and self.parts[0].starts:  # as if a killed relay's half minute were over
            psql(self.environment["IMAGESYNC_DATABASE"], "UPDATE event_relay SET until_us = 0")
        for part in self.parts:
            if not part.alive():
                part.run(self.environment)
        self.down.clear()

    def alive(self):
        return all(part.alive() for part in self.parts)

    def kill(self):
        for part in self.parts:
            part.kill()

    def kill_part(self, part):
        self.down.add(part)
        part.kill()

    def ended(self):
        """Parts that nobody has killed."""
        return [part for part in self.parts if part not in self.down and not part.alive()]

    def command(self, *words):
        """One of the binary's commands on the same data, with the same clock."""
        return subprocess.run([BINARY, *words, "--data", self.data], env=self.environment,
                              capture_output=True, text=True, timeout=120, check=False)

    # What can go wrong.

    def set_clock(self, seconds):
        """How much it is wrong, besides the days that went by."""
        self.clock_s = seconds
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds + self.days * 86400:+d}\n")
        new.rename(self.clock_file)

    def now_ms(self):
        """What its clock says."""
        return (time.time() + self.clock_s + self.days * 86400) * 1000

    def pass_days(self, days):
        self.days += days
        self.set_clock(self.clock_s)

    def fill(self):
        """Takes all room that the disk has left."""
        self.full = True
        with contextlib.suppress(OSError), open(self.disk / "filler", "ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while filler.write(b"\0" * size) == size:
                        pass

    def free(self):
        self.full = False
        with contextlib.suppress(FileNotFoundError):
            (self.disk / "filler").unlink()

    def cut(self, part, way):
        """`way`: of those of wire.py."""
        self.cut_off[part] = way
        self.wires[part].cut(way)

    def mend(self, part):
        self.cut_off.pop(part, None)
        self.wires[part].mend()

    def heal(self):
        self.free()
        self.set_clock(0)
        for part in self.wires:
            self.mend(part)
        if not self.alive():
            self.start()

    def troubled(self):
        """Whether it may say that it cannot."""
        return self.full or self.missing() or not self.alive()

    def missing(self):
        """What is cut off that it cannot do without: events wait until Kafka is there again."""
        return {part for part, way in self.cut_off.items() if way != "slow"} - {"events"}

    def patience_s(self):
        """For how long who asks it waits for an answer: not for one that does not come."""
        return 2 if "silent" in self.cut_off.values() else 30

    def close(self):
        self.kill()
        self.closing.close()
        if self.jumps:
            remove_what_faketime_left()
        if self.mounted:
            subprocess.run(["umount", "-l", self.disk], check=False)
