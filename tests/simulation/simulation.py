# SPDX-License-Identifier: Apache-2.0
"""One run: devices of one or two people, and folders of theirs, do what people do, and what they use
fails; then all heals, and everything that was promised must hold. All is chosen by the seed: step by
step, so that what a step does depends on nothing that another has drawn."""

import itertools
import random
import threading
import time
import traceback
from functools import partial

import machine as machines
from device import Device, uuid7
from folder import ACTS, Folder
from ledger import Ledger
from link import Broken, Link, NoAnswer
from machine import Machine
from sending import Sending
from verdict import check_person, check_rebuild, check_store, check_topic
from wire import WAYS

import library  # of tests/integration, which machine.py leads to
from backends import rows
from people import Person

ACTIONS = {"send": 16, "go on sending": 22, "change photo": 16, "make album": 4, "rename album": 4,
           "remove album": 2, "make edit": 5, "change edit": 14, "remove edit": 1, "trash": 4,
           "restore": 3, "purge": 3, "flush": 22, "follow": 12, "listen": 3, "resync": 1, "look": 4,
           "make share": 4, "revoke share": 1, "visit": 4, "late copy": 4, "at once": 6, "together": 8, "line": 3, "fault": 9,
           "at a folder": 16}
FAULTS = {"kill": 3, "kill a part": 4, "kill in between": 4, "clock": 3, "disk": 3, "cut": 4, "days": 4}
WITHOUT_PHOTOS = {"send", "go on sending", "make album", "follow", "resync", "line", "fault", "at a folder"}
# Of a run in which days pass: what is older than a day goes from the log, and nothing else does.
FORGETTING = {"changes_keep_days": 1, "blob_grace_s": 30 * 86400}
DAYS = 2  # at once
EXPIRE_S = (1, 60, 5000, 4 * 86400)
CLOCKS_S = (-86400, -7200, -90, 90, 3600, 6 * 3600)


class Simulation:
    def __init__(self, seed, steps, folder, backend):
        self.seed, self.steps, self.folder = seed, steps, folder
        folder.mkdir(parents=True)
        self.trace_file = open(folder / "trace", "w", encoding="utf-8")
        self.marks = itertools.count(1)
        self.pending_heals = []
        self.ms = 1_760_000_000_000
        self.machine = Machine(folder, backend)
        self.counts = self.machine.counts
        self.forgets = self.machine.jumps and random.Random(f"{seed}/forgets").random() < 0.4
        if self.forgets:
            self.machine.change_settings(**FORGETTING)
        self.files, self.devices_of, self.devices, self.folders = [], [], [], []

    def possible(self):
        """All that is counted when it is done, or goes wrong."""
        return {*ACTIONS, *(f"fault: {name}" for name in self.faults()),
                *(f"at a folder: {act}" for act in ACTS),
                *(f"cut: {part} {way}" for part in self.machine.wires for way in WAYS),
                *(f"request: {name}" for name in ("refused", "half", "lost"))}

    def without(self):
        """What cannot go wrong here, and why."""
        found = []
        if not self.machine.mounted:
            found.append("the disk does not fill up: mount is not allowed")
        if not machines.FAKETIME.exists():
            found.append("the clock does not jump: libfaketime is missing")
        elif not self.machine.jumps:
            found.append("the clock does not jump: neither S3 nor Kafka's library lets it be faked")
        if "store" in self.machine.wires and not self.machine.kafka:
            found.append("Kafka is not cut off: tests/kafka has not gathered it yet")
        return found

    def begin(self):
        seed, chance = self.seed, random.Random(f"{self.seed}")
        self.machine.start()
        self.files = [self.file(chance, n) for n in range(chance.randint(6, 20))]
        for person_number in range(chance.randint(1, 2)):
            person = Person(self.machine, f"seed{seed}-{person_number}@example.com")
            ledger = Ledger(person)
            self.devices_of.append([
                Device(f"device {person_number}.{n}", Link(self.machine, person, self.trace), ledger,
                       self.trace) for n in range(chance.randint(2, 3 - person_number))])
            if chance.random() < 0.5:
                self.folders.append(Folder(f"folder {person_number}", self.folder / f"home {person_number}",
                                           person, ledger, self.trace))
        self.devices = [device for devices in self.devices_of for device in devices]

    def file(self, chance, n):
        content = library.picture(self.seed * 1000 + n, chance.choice(((64, 48), (48, 64), (300, 200))))
        if chance.random() < 0.15:  # one that nobody can look into
            content = content[:200] + chance.randbytes(chance.choice((1000, 200_000)))
        return content

    def count(self, what):
        self.counts[what] += 1

    def trace(self, text):
        self.trace_file.write(text + "\n")

    def run(self):
        try:
            for step in range(self.steps):
                self.step(step)
            self.heal()
            self.check()
        except Exception:
            self.trace(traceback.format_exc())
            raise
        finally:
            self.trace_file.flush()

    def close(self):
        for folder in self.folders:
            folder.close()
        self.machine.close()
        self.trace_file.close()

    # What happens.

    def step(self, step):
        chance = random.Random(f"{self.seed}/{step}")
        for due, name, heal in list(self.pending_heals):
            if due <= step:
                self.trace(f"{step} heals: {name}")
                heal()
                self.pending_heals.remove((due, name, heal))
        for part in self.machine.ended():
            raise Broken(f"the {part.name} ended by itself:\n{part.log_tail()}")
        device = chance.choice(self.devices)
        device.link.chance = chance
        action = chance.choices(list(ACTIONS), ACTIONS.values())[0]
        if action == "go on sending" and not device.sending or \
                action == "at a folder" and not self.folders or \
                action not in WITHOUT_PHOTOS and not device.objects:
            action = chance.choice(("send", "follow"))
        self.count(action)
        self.trace(f"{step} {device.name}: {action}")
        try:
            queued = len(device.outbox)
            getattr(self, action.replace(" ", "_"))(device, chance, step)
            if len(device.outbox) > queued and chance.random() < 0.5:
                device.flush(1, twice=0.2)
        except NoAnswer as error:
            self.trace(f"  no answer: {error}")

    def send(self, device, chance, _):
        number = chance.randrange(len(self.files))
        if chance.random() < 0.3:
            sending = Sending(device, self.files[number], number, "form")
        else:
            pair = f"pair {number // 2}" if number // 2 % 3 == 0 else None
            sending = Sending(device, self.files[number], number, "tus",
                              chance.choice(("restore", "skip")), pair)
        device.sending.append(sending)
        self.advance(device, sending)

    @staticmethod
    def advance(device, sending):
        sending.advance()
        if sending.over:
            device.sending.remove(sending)

    def go_on_sending(self, device, chance, _):
        for _ in range(chance.randint(1, 4)):
            if device.sending:
                self.advance(device, chance.choice(device.sending))

    def change_photo(self, device, chance, _):
        photos = device.of_kind("photo")
        if not photos:
            return
        photo = chance.choice(photos)
        albums = [album["id"] for album in device.of_kind("album")]
        members = {}
        for name in chance.sample(("caption", "favourite", "tags", "albums", "name", "offset"),
                                  chance.randint(1, 3)):
            members[name] = {
                "caption": f"caption {next(self.marks)}", "favourite": chance.random() < 0.5,
                "tags": sorted({f"t{chance.randrange(5)}" for _ in range(chance.randint(1, 3))}),
                "albums": chance.sample(albums, chance.randint(1, len(albums))) if albums else None,
                "name": f"name {next(self.marks)}.jpg", "offset": chance.randrange(-600, 600),
            }[name]
        if members.get("albums", 1) is None:
            members["albums"] = [uuid7(chance, self.ms)]  # one that is not there yet
        device.queue("patch", "PATCH", f"/v1/photos/{photo['id']}", members, photo["version"],
                     target=("photo", photo["id"]))

    def make_album(self, device, chance, _):
        body = {"name": f"Album {next(self.marks)}"}
        if chance.random() < 0.5:
            body["id"] = uuid7(chance, self.ms)
        device.queue("new album", "POST", "/v1/albums", body)

    def rename_album(self, device, chance, _):
        if albums := device.of_kind("album"):
            album = chance.choice(albums)
            device.queue("patch", "PATCH", f"/v1/albums/{album['id']}",
                         {"name": f"Album {next(self.marks)}"}, album["version"],
                         target=("album", album["id"]))

    def remove_album(self, device, chance, _):
        if albums := device.of_kind("album"):
            album = chance.choice(albums)
            device.ledger.removing.add(("album", album["id"]))
            device.queue("remove", "DELETE", f"/v1/albums/{album['id']}",
                         target=("album", album["id"]),
                         version=chance.choice((None, album["version"])))

    def make_edit(self, device, chance, _):
        if photos := device.of_kind("photo"):
            body = {"photo": chance.choice(photos)["id"], "recipe": {"mark": next(self.marks)}}
            if chance.random() < 0.5:
                body["id"] = uuid7(chance, self.ms)
            device.queue("new edit", "POST", "/v1/edits", body)

    def change_edit(self, device, chance, _):
        if edits := device.of_kind("edit"):
            edit = chance.choice(edits)
            device.queue("recipe", "PUT", f"/v1/edits/{edit['id']}",
                         {"recipe": {"mark": next(self.marks)}}, edit["version"],
                         target=("edit", edit["id"]))

    def remove_edit(self, device, chance, _):
        if edits := device.of_kind("edit"):
            edit = chance.choice(edits)
            device.ledger.removing.add(("edit", edit["id"]))
            device.queue("remove", "DELETE", f"/v1/edits/{edit['id']}",
                         target=("edit", edit["id"]), version=edit["version"])

    def trash(self, device, chance, _):
        if photos := device.of_kind("photo", trashed=False):
            photo = chance.choice(photos)
            device.ledger.throws_away(photo["id"])
            device.queue("trash", "DELETE", f"/v1/photos/{photo['id']}", version=photo["version"],
                         target=("photo", photo["id"]))

    def restore(self, device, chance, _):
        if photos := device.of_kind("photo", trashed=True):
            photo = chance.choice(photos)
            device.queue("patch", "PATCH", f"/v1/photos/{photo['id']}", {"trashed": False},
                         photo["version"], target=("photo", photo["id"]))

    def purge(self, device, chance, _):
        if photos := device.of_kind("photo", trashed=True):
            photo = chance.choice(photos)
            device.ledger.purging.add(photo["id"])
            device.queue("purge", "DELETE", f"/v1/photos/{photo['id']}?purge=1",
                         target=("photo", photo["id"]),
                         version=chance.choice((None, photo["version"])))

    def flush(self, device, chance, _):
        device.flush(chance.choice((1, 3, 1000)), twice=0.2)

    def follow(self, device, chance, _):
        device.follow(chance.choice((1, 3, 20, 1000)))

    def listen(self, device, *_):
        device.listen()

    def resync(self, device, chance, _):
        device.resync(chance.choice((3, 1000)))

    def look(self, device, chance, _):
        if photos := device.of_kind("photo"):
            photo = chance.choice(photos)
            reply = device.link.call("GET", f"/v1/photos/{photo['id']}/original")
            if reply.status == 404:
                if not device.ledger.may_be_gone(photo["id"]):
                    raise Broken(f"{photo['id']} is lost")
            elif reply.content != device.ledger.photos.get(photo["id"], reply.content):
                raise Broken(f"{photo['id']} is another file")

    def make_share(self, device, chance, _):
        photos, albums = device.of_kind("photo"), device.of_kind("album")
        body = {"allow_download": chance.random() < 0.8, "keep_metadata": chance.random() < 0.5}
        if albums and chance.random() < 0.5:
            body["album"] = chance.choice(albums)["id"]
        elif photos:
            body["photos"] = [photo["id"] for photo in chance.sample(
                photos, chance.randint(1, len(photos)))]
        else:
            return
        if chance.random() < 0.4:
            body["expires"] = int(self.machine.now_ms() + 1000 * chance.choice(EXPIRE_S))
        device.queue("new share", "POST", "/v1/shares", body)

    def revoke_share(self, device, chance, _):
        if shares := list(device.ledger.shares.values()):
            share = chance.choice(shares)
            share.revoking = True
            device.queue("revoke share", "DELETE", f"/v1/shares/{share.id}", target=share.id)

    def visit(self, device, chance, _):
        if shares := list(device.ledger.shares.values()):
            device.visit(chance.choice(shares))

    def late_copy(self, device, *_):
        device.late()

    def at_once(self, device, *_):
        device.at_once()

    def together(self, _, __, step):
        """All devices at the same time."""
        problems = []

        def work(device):
            try:
                device.link.chance = random.Random(f"{self.seed}/{step}/{device.name}")
                if device.sending:
                    self.advance(device, device.link.chance.choice(device.sending))
                device.flush(3, twice=0.2)
                device.follow(20)
            except NoAnswer as error:
                self.trace(f"  {device.name}: {error}")
            except Exception as error:
                problems.append(error)
        threads = [threading.Thread(target=work, args=(device,)) for device in self.devices]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]

    def line(self, device, *_):
        device.link.offline = not device.link.offline

    def at_a_folder(self, _, chance, __):
        folder = chance.choice(self.folders)
        for _ in range(chance.randint(1, 3)):
            self.count(f"at a folder: {folder.act(chance, self.files, next(self.marks))}")

    # What goes wrong.

    def faults(self):
        can = {"kill a part": self.machine.proxy, "clock": self.machine.jumps,
               "disk": self.machine.mounted, "cut": self.machine.wires, "days": self.forgets}
        return [name for name in FAULTS if can.get(name, True)]

    def fault(self, device, chance, step):
        names = self.faults()
        name = chance.choices(names, [FAULTS[name] for name in names])[0]
        self.count(f"fault: {name}")
        self.trace(f"  {name}")
        until = step + chance.randint(3, 12)
        if name == "kill":
            self.machine.kill()
            self.revive()
        elif name == "kill a part":
            part = chance.choice(self.machine.parts)
            self.trace(f"  without the {part.name}")
            self.machine.kill_part(part)
            self.later(until, name, self.revive)
        elif name == "kill in between":
            self.kill_in_between(device, chance)
        elif name == "clock":
            self.machine.set_clock(chance.choice(CLOCKS_S))
            self.trace(f"  clock {self.machine.clock_s:+d} s")
            self.later(until, name, lambda: self.machine.set_clock(0))
        elif name == "days":
            self.machine.kill()
            self.machine.pass_days(DAYS)
            self.revive()  # when it begins it looks for what is old
        elif name == "disk":
            self.machine.fill()
            self.later(until, name, self.machine.free)
        else:
            part, way = chance.choice(sorted(self.machine.wires)), chance.choice(WAYS)
            self.trace(f"  without {part}: {way}")
            self.count(f"cut: {part} {way}")
            self.machine.cut(part, way)
            self.later(until, name, lambda: self.machine.mend(part))

    def later(self, step, name, heal):
        self.pending_heals.append((step, name, heal))

    def revive(self):
        """It need not come up on a full disk or without a database."""
        if self.machine.full or self.machine.missing():
            self.machine.free()
            for part in self.machine.missing():
                self.machine.mend(part)
        self.machine.start()

    def kill_in_between(self, device, chance):
        """While requests are under way."""
        killer = threading.Timer(chance.uniform(0, 0.04), self.machine.kill)
        killer.start()
        try:
            device.link.offline = False
            while not killer.finished.is_set():
                if device.sending and chance.random() < 0.6:
                    self.advance(device, chance.choice(device.sending))
                elif device.outbox:
                    device.flush(1)
                else:
                    self.make_album(device, chance, None)
                    self.send(device, chance, None)
        except NoAnswer as error:
            self.trace(f"  killed: {error}")
        finally:
            killer.join()
            self.revive()

    # The end.

    def heal(self):
        self.trace("all heals")
        for _, _, heal in self.pending_heals:
            heal()
        self.machine.heal()
        for folder in self.folders:
            folder.wire.mend()
        for device in self.devices:
            device.link.offline, device.link.faulty = False, False
            device.link.chance = random.Random(f"{self.seed}/{device.name}")
        self.until(lambda: all(self.drained(device) for device in self.devices), 60,
                   "requests that are not answered")
        if self.machine.jumps:  # what a killed server was at is taken up when its time is over
            self.machine.set_clock(CLOCKS_S[-1] + 3600)
            self.until(self.looked_into, 30, "photos that nobody looks into")
            self.machine.set_clock(0)
        else:
            self.until(self.looked_into, 5, None)
        for folder in self.folders:
            self.until(partial(self.is_alike, folder), 60, partial(self.differs, folder))
            folder.stop()
        # From here on nobody works in the background but who clears away.
        self.machine.kill()
        self.machine.change_settings(services="user,sync", blob_grace_s=1, housekeeping_s=1)
        self.machine.start()
        for folder in self.folders:
            folder.once()
            if problem := self.differs(folder):
                raise Broken(problem)
        self.until(lambda: all(self.caught_up(device) for device in self.devices), 30,
                   "devices that do not catch up")
        if self.machine.kafka:
            self.until(self.relayed, 60, "events that are not relayed")

    def differs(self, folder):
        """What of it is not as the library is."""
        (device,) = [devices[0] for devices in self.devices_of if devices[0].ledger is folder.ledger]
        return folder.differs(device)

    def is_alike(self, folder):
        """As its device sees to by itself."""
        folder.must_run()
        return not self.differs(folder)

    def until(self, probe, seconds, what):
        end = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > end:
                if what:
                    raise Broken(what() if callable(what) else f"{what}: " +
                                 repr([(d.outbox, d.sending) for d in self.devices]))
                return
            time.sleep(0.05)

    def drained(self, device):
        try:
            device.flush()
            for sending in list(device.sending):
                self.advance(device, sending)
        except NoAnswer as error:
            self.trace(f"  not yet: {error}")
        return not device.outbox and not device.sending

    def looked_into(self):
        for devices in self.devices_of:
            if not self.caught_up(devices[0]):
                return False
            if any(photo["state"]["status"] == "processing" for photo in devices[0].of_kind("photo")):
                return False
        return True

    def relayed(self):
        return rows(self.machine, "SELECT count(*) FROM event_outbox") == [(0,)]

    @staticmethod
    def caught_up(device):
        try:
            device.follow()
        except NoAnswer:
            return False
        return True

    def check(self):
        for devices in self.devices_of:
            check_person(devices)
        self.counts["began anew"] = sum(device.outdated for device in self.devices)
        check_topic(self.machine, self.devices_of)
        check_store(self.machine)
        check_rebuild(self.machine, self.devices_of)
