# SPDX-License-Identifier: Apache-2.0
"""What must hold when all has healed and every device has caught up."""

import contextlib
import hashlib
import io
import json
import time
import zipfile

from device import Device
from ledger import whole
from link import Broken
from share import Ended

from backends import rows
from topic import messages, read_by_partition

PATHS = ("/v1/library", "/v1/albums", "/v1/objects", "/v1/objects?limit=3", "/v1/photos",
         "/v1/photos?trashed=true", "/v1/photos?favourite=true", "/v1/photos?tag=t1",
         "/v1/photos?text=caption")
TABLES = ("sync_object", "sync_photo", "sync_term", "sync_edit", "sync_usage")


def hold(true, what):
    if not true:
        raise Broken(what)


def get(link, path):
    reply = link.call("GET", path)
    hold(reply.status == 200, f"{path}: {reply}")
    return reply


def horizon_of(device):
    """Up to which changes may be gone."""
    return get(device.link, "/v1/library").json()["horizon"]


def log_of(device, horizon):
    """Each change above the horizon, one by one; without a gap."""
    found, since, versions = [], horizon, {}
    more = True
    while more:
        page = get(device.link, f"/v1/changes?since={since}&limit=1").json()
        for thing in page["changes"]:
            hold(thing["seq"] == since + 1, f"a gap in the log between {since} and {thing['seq']}")
            key = thing["kind"], thing["id"]
            hold(key not in versions and horizon or thing["version"] == versions.get(key, 0) + 1,
                 f"a gap in what happened to {key} before {thing['version']}")
            versions[key] = thing["version"]
            device.ledger.observed(thing)
            found.append(thing)
        since, more = page["next"], page["more"]
    return found


def living(device):
    fresh = Device("fresh", device.link, device.ledger, device.trace)
    fresh.resync(limit=7)
    return fresh.objects, fresh.cursor


def check_devices(devices, objects, seq):
    for device in devices:
        hold(device.cursor == seq, f"{device.name} is at {device.cursor} of {seq}")
        for key in sorted(objects.keys() | device.objects.keys()):
            hold(device.objects.get(key) == objects.get(key),
                 f"{device.name} has {device.objects.get(key)}, the server {objects.get(key)}")


def check_log(device, objects, horizon):
    last = {(thing["kind"], thing["id"]): thing for thing in log_of(device, horizon)}
    for key, thing in last.items():
        hold(objects.get(key) == (None if thing.get("removed") else thing),
             f"the log comes to {thing}, the server has {objects.get(key)}")
    for key, thing in objects.items():
        hold(key in last or thing["seq"] <= horizon, f"the log does not know {thing}")
    return {key for key, thing in last.items() if thing.get("removed")}


def check_photos(device, objects):
    ledger = device.ledger
    photos, gone = {photo for kind, photo in objects if kind == "photo"}, ledger.gone()
    hold(photos == ledger.photos.keys() - gone,
         f"photos that are there without a promise: {photos - ledger.photos.keys()}; "
         f"that came back: {photos & gone}; "
         f"that are lost: {ledger.photos.keys() - gone - photos}")
    for photo, half in ledger.halves().items():
        hold((photo in photos) == (half in photos), f"{photo} and {half} were torn apart")
    contents = {}
    for photo in sorted(photos):
        content = ledger.photos[photo]
        digest = hashlib.sha256(content).digest()
        hold(digest not in contents, f"{photo} and {contents.get(digest)} are one file")
        contents[digest] = photo
        have = get(device.link, f"/v1/photos/{photo}/original").content
        hold(hashlib.sha256(have).digest() == digest,
             f"{photo} has {len(have)} bytes that are not those of the file of {len(content)}")
        for name in objects["photo", photo]["state"].get("renditions", {}):
            get(device.link, f"/v1/photos/{photo}/{name}")
    if photos:
        check_zip(device, objects, sorted(photos))


def check_zip(device, objects, photos):
    reply = device.link.call("POST", "/v1/zip", json={"photos": photos[:50]})
    hold(reply.status == 200, f"zip: {reply}")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        have = sorted(hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist())
    want = sorted(hashlib.sha256(device.ledger.photos[photo]).hexdigest() for photo in photos[:50]
                  if "trashed" not in objects["photo", photo]["state"])
    hold(have == want, "the archive is not what was asked for")


def check_tombstones(ledger, removed):
    photos = {("photo", photo) for photo in ledger.gone()}
    hold(ledger.removed <= removed, f"without a tombstone: {ledger.removed - removed}")
    hold(photos <= removed, f"purged without a tombstone: {photos - removed}")


def adopt_albums(ledger, objects):
    """Albums that are folders somewhere: made by a device that tells nobody."""
    for (kind, object_id), _ in objects.items():
        if kind == "album" and (kind, object_id) not in ledger.made:
            first = ledger.seen.get((kind, object_id, 1))
            hold(first is None or json.loads(first)["state"]["name"] in ledger.places,
                 f"nobody made {first}")
            ledger.made[kind, object_id] = {}


def check_writes(device, objects):
    ledger, gone = device.ledger, device.ledger.gone()
    if ledger.places:
        adopt_albums(ledger, objects)
    for kind in ("album", "edit"):
        there = {each for each in objects if each[0] == kind}
        made = {each for each in ledger.made if each[0] == kind}
        may_go = ledger.removed | {each for each in made if kind == "edit" and
                                   ledger.made[each].get("photo", photo_of(ledger, each))
                                   in gone}
        hold(there <= made, f"nobody made {there - made}")
        hold(made - may_go <= there, f"lost: {made - may_go - there}")
        hold(not there & ledger.removed, f"came back: {there & ledger.removed}")
        marks = [whole(objects[each]["state"].get("name" if kind == "album" else "recipe"))
                 for each in there]
        hold(len(set(marks)) == len(marks), f"a request was done twice: {sorted(marks)}")
    halves = ledger.halves()
    for (kind, object_id), thing in objects.items():
        for name, value in ledger.expected(kind, object_id).items():
            have = thing["state"].get(name)
            if name == "albums" and object_id in halves:
                continue  # its other half's may have been put last: see check_pairs()
            if name in ("albums", "name") and ledger.places:
                continue  # what was done in a folder may have been last
            if name == "trashed":
                if ledger.maybe_restored(object_id) or ledger.photos[object_id] in ledger.paired:
                    continue
                have = have is not None
            hold(whole(have) == whole(value),
                 f"{name} of the {kind} {object_id} was acknowledged as {value!r}, and is {have!r}")
    for edit, origin in ledger.diverged.items():
        if ("edit", edit) in objects:
            hold(objects["edit", edit]["state"].get("diverged_from") == origin, f"{edit} forgot {origin}")


def check_pairs(objects):
    """The halves of a pair name each other, and lie in the same albums."""
    for (kind, object_id), thing in objects.items():
        other = objects.get((kind, thing["state"].get("pair"))) if kind == "photo" else None
        if other:
            hold(other["state"].get("pair") == object_id, f"{object_id} is half of a pair alone")
            hold(sorted(other["state"]["albums"]) == sorted(thing["state"]["albums"]),
                 f"{object_id} and its other half are in different albums")


def check_shares(device):
    """Each link opens what it is to open, and none was made twice."""
    shares = device.ledger.shares
    listed = {share["id"] for share in get(device.link, "/v1/shares").json()["shares"]}
    hold(listed == {share for share in shares if not shares[share].revoked},
         f"there are the links {listed} of {shares}")
    for share in shares.values():
        with contextlib.suppress(Ended):
            device.visit(share)


def photo_of(ledger, edit):
    """The photo of an edit that diverged from another."""
    while edit[1] in ledger.diverged:
        edit = "edit", ledger.diverged[edit[1]]
    return ledger.made[edit].get("photo") if edit in ledger.made else None


def check_person(devices):
    """All that was promised to one person is kept."""
    objects, seq = living(devices[0])
    check_devices(devices, objects, seq)
    horizon = horizon_of(devices[0])
    removed = check_log(devices[0], objects, horizon)
    check_photos(devices[0], objects)
    check_writes(devices[0], objects)
    check_pairs(objects)
    check_shares(devices[0])
    if not horizon:
        check_tombstones(devices[0].ledger, removed)


def check_topic(machine, devices_of):
    """Kafka has each event of the log, once or more, in order for each person."""
    if not machine.kafka:
        return
    found = messages(machine.kafka, machine.topic)
    heads, seen = {}, {}
    for devices in devices_of:
        user = get(devices[0].link, "/v1/me").json()["id"]
        heads[user] = get(devices[0].link, "/v1/library").json()["seq"]
        seen |= {(user, *key): json.loads(text) for key, text in devices[0].ledger.seen.items()}
    reached = read_by_partition(found)
    hold(reached == {user: seq for user, seq in heads.items() if seq},
         f"the topic goes to {reached}, the log to {heads}")
    for _, user, event in found:
        thing = seen.get((user, event["kind"], event["object"], event["version"]))
        hold(thing and (thing["seq"], thing.get("removed", False)) == (event["seq"], event["removed"]),
             f"the topic has {event}, the log {thing}")


def told(devices_of):
    """What the API answers, by person and path."""
    return {(devices[0].name, path): get(devices[0].link, path).content for devices in devices_of
            for path in (*PATHS, f"/v1/changes?since={horizon_of(devices[0])}")}


def check_store(machine, seconds=30):
    """No file is missing; what is nobody's goes."""
    end = time.monotonic() + seconds
    while True:
        done = machine.command("check", "--deep")
        if done.returncode == 0 or time.monotonic() > end:
            break
        time.sleep(0.3)
    hold(done.returncode == 0, f"imagesync check: {done.stdout}{done.stderr}")


def projections(machine):
    return {table: sorted(map(repr, rows(machine, f"SELECT * FROM {table}"))) for table in TABLES}


def check_rebuild(machine, devices_of):
    before, kept = told(devices_of), projections(machine)
    done = machine.command("rebuild", "--all")
    hold(done.returncode == 0, f"imagesync rebuild: {done.stdout}{done.stderr}")
    for asked, now in told(devices_of).items():
        hold(now == before.get(asked), f"rebuild changes {asked} from {before.get(asked)!r} to {now!r}")
    for table, now in projections(machine).items():
        hold(now == kept[table], f"rebuild changes {table} from {kept[table]} to {now}")
