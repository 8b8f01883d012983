# SPDX-License-Identifier: Apache-2.0
"""A folder of somebody's that `imagesync sync` keeps like the library: the binary itself as a device,
which is killed, and whose line fails. Without --delete-to-trash: who removes a file here wants it
nowhere but here, and the library keeps it."""

import contextlib
import hashlib
import os
import signal
import subprocess

from harness import BINARY
from link import Broken
from wire import WAYS, Wire

PLACES = ("", "", "Trips", "Trips/Rome", "Sold")
ACTS = {"put": 8, "move": 5, "remove": 2, "change": 3, "kill": 2, "line": 3}
STOP_S = 60


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


class Folder:
    def __init__(self, name, home, person, ledger, trace):
        self.name, self.ledger, self.trace = name, ledger, trace
        self.root, self.log_path = home / "photos", home / "log"
        self.root.mkdir(parents=True)
        reply = person.call("POST", "/v1/api-keys", {"name": name, "scope": "library"})
        if reply.status_code != 201:
            raise Broken(f"an API key: {reply.text}")
        self.wire = Wire(lambda: person.server.port)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("IMAGESYNC_", "XDG_"))}
        self.environment.update(HOME=str(home), IMAGESYNC_TOKEN=reply.json()["key"])
        ledger.places = frozenset(PLACES)
        self.put_here = {}  # digest: content, of all that was ever put
        self.taken = set()  # digests of what was removed, or overwritten
        self.process = None
        self.start()

    # The device.

    def start(self, *options):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "sync", self.root, "--server", f"http://127.0.0.1:{self.wire.port}",
                 "--settle-s", "0", *options], env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """As asked to, and then once more until nothing is left to do."""
        self.must_run()
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(STOP_S) != 0:
            raise Broken(f"{self.name} ended with {self.process.returncode}: {self.said()}")

    def once(self):
        self.start("--once")
        if self.process.wait(STOP_S) != 0:
            raise Broken(f"{self.name} is not done: {self.process.returncode}, {self.said()}")

    def must_run(self):
        if self.process.poll() is not None:
            raise Broken(f"{self.name} ended by itself: {self.process.returncode}, {self.said()}")

    def said(self):
        return self.log_path.read_text(errors="replace")[-1500:]

    def close(self):
        self.kill()
        self.wire.close()

    # What somebody does there.

    def paths(self):
        return sorted(path for path in self.root.rglob("*")
                      if path.is_file() and ".imagesync" not in path.parts)

    def digests(self):
        found = set()
        for path in self.paths():
            with contextlib.suppress(FileNotFoundError):
                found.add(digest_of(path.read_bytes()))
        return found

    def act(self, chance, files, mark):
        """What was done."""
        self.must_run()
        acts = [act for act in ACTS if act not in ("move", "remove", "change") or self.paths()]
        act = chance.choices(acts, [ACTS[each] for each in acts])[0]
        self.trace(f"  {self.name}: {act}")
        with contextlib.suppress(FileNotFoundError):  # it was faster
            getattr(self, "_" + act)(chance, files, mark)
        return act

    def _new_path(self, chance, mark):
        path = self.root / chance.choice(PLACES) / f"file {mark}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, path, content, at_once):
        self.put_here[digest_of(content)] = content
        if at_once:
            hidden = self.root / ".new"
            hidden.write_bytes(content)
            hidden.rename(path)
            return
        with open(path, "wb", buffering=0) as file:
            for at in range(0, len(content), 5000):
                file.write(content[at:at + 5000])

    def _put(self, chance, files, mark):
        self._write(self._new_path(chance, mark), chance.choice(files), chance.random() < 0.5)

    def _move(self, chance, _, mark):
        chance.choice(self.paths()).rename(self._new_path(chance, mark))

    def _remove(self, chance, _, mark):
        del mark
        aside = self.root / ".removed"
        chance.choice(self.paths()).rename(aside)
        self.taken.add(digest_of(aside.read_bytes()))
        aside.unlink()

    def _change(self, chance, files, mark):
        del mark
        path = chance.choice(self.paths())
        self.taken.add(digest_of(path.read_bytes()))
        self._write(path, chance.choice(files), chance.random() < 0.3)

    def _kill(self, *_):
        self.kill()
        self.start()

    def _line(self, chance, *_):
        way = None if self.wire.way else chance.choice(WAYS)
        self.trace(f"  its line: {way}")
        if way:
            self.wire.cut(way)
        else:
            self.wire.mend()

    # What must hold.

    def differs(self, device):
        """None when the folder is as the library is, or what is not so."""
        objects, _ = device.read_all()
        photos = {key[1]: thing for key, thing in objects.items() if key[0] == "photo"}
        for photo in photos.keys() - self.ledger.photos.keys():
            self._adopt(device, photo)
        there = {digest_of(self.ledger.photos[photo]) for photo, thing in photos.items()
                 if "trashed" not in thing["state"]}
        here = self.digests()
        missing = there - here - self.taken
        more = {digest for digest in here - there if not self._may_stay(digest)}
        return f"{self.name} lacks {missing}, and has {more} alone" if missing or more else None

    def _adopt(self, device, photo):
        """What came from here was promised to nobody else."""
        reply = device.link.call("GET", f"/v1/photos/{photo}/original")
        if reply.status != 200 or digest_of(reply.content) not in self.put_here:
            raise Broken(f"{photo} comes from nowhere: {reply}")
        self.ledger.photo(photo, reply.content)

    def _may_stay(self, digest):
        """Whether it was deleted in the library: what is put here then is left alone, and what is here
        already when all photos are listed anew."""
        deleted, halves = self.ledger.purging | self.ledger.trashed.keys(), self.ledger.halves()
        deleted |= {halves[photo] for photo in deleted & halves.keys()}
        if deleted and digest in map(digest_of, self.ledger.paired):
            return True  # which half it was may be long forgotten
        photos = [self.ledger.photos.get(photo) for photo in deleted]
        if None in photos and digest in self.put_here:
            return True  # of what came from here nobody else knows which file it was
        return digest in {digest_of(photo) for photo in photos if photo}
