# SPDX-License-Identifier: Apache-2.0
"""What the server has promised to somebody: all that it acknowledged, and each state that it showed."""

import json

from link import Broken


def whole(value):
    return json.dumps(value, sort_keys=True)


class Ledger:
    def __init__(self, person):
        self.person = person
        self.photos = {}        # id: content, of all that were acknowledged
        self.purging = set()    # ids that somebody has asked to remove for good
        self.purged = set()     # those of them that this was acknowledged of
        self.removing = set()   # (kind, id) of albums and edits that somebody has asked to remove
        self.removed = set()    # those of them that this was acknowledged of
        self.made = {}          # (kind, id): mark
        self.writes = {}        # (kind, id): [(version, members)]
        self.sent = []          # contents, each time that somebody sent one on purpose
        self.trashed = {}       # id: how many these were when it was first thrown away
        self.paired = set()     # contents that were sent as half of a pair
        self.seen = {}          # (kind, id, version): what it was
        self.diverged = {}      # id of an edit: the edit that it comes from
        self.places = ()        # names of albums that are folders somewhere
        self.shares = {}        # id: the link, of all that were acknowledged

    def observed(self, thing):
        """One version of an object is the same whoever asks, and whenever."""
        key = thing["kind"], thing["id"], thing["version"]
        first = self.seen.setdefault(key, whole(thing))
        if first != whole(thing):
            raise Broken(f"{key} was shown as {first} and as {whole(thing)}")

    def photo(self, photo_id, content):
        if self.photos.setdefault(photo_id, content) != content:
            raise Broken(f"{photo_id} was said to be of two files")

    def throws_away(self, photo_id):
        self.trashed.setdefault(photo_id, len(self.sent))

    def may_be_gone(self, photo_id):
        """Whether somebody has asked to remove it for good, perhaps with its other half."""
        return photo_id in self.purging or self.photos.get(photo_id) in self.paired

    def halves(self):
        """By id of a photo, those that it was ever shown to be paired with."""
        found = {}
        for (kind, object_id, _), text in self.seen.items():
            other = json.loads(text).get("state", {}).get("pair") if kind == "photo" else None
            if other:
                found[object_id] = other
        return found

    def gone(self):
        """Photos that must be removed: also the other halves, as they were when that was asked."""
        halves = self.halves()
        return self.purged | {halves[photo] for photo in self.purged if photo in halves}

    def maybe_restored(self, photo_id):
        """Whether its file was sent again since, which takes it out of the trash."""
        return self.photos[photo_id] in self.sent[self.trashed.get(photo_id, 0):]

    def created(self, kind, thing, members):
        self.made[kind, thing["id"]] = members
        self.wrote(kind, thing["id"], thing["version"], members)

    def wrote(self, kind, object_id, version, members):
        self.writes.setdefault((kind, object_id), []).append((version, members))

    def expected(self, kind, object_id):
        """Each member's value by the newest acknowledged write of it."""
        found = {}
        for _, members in sorted(self.writes.get((kind, object_id), ()), key=lambda write: write[0]):
            found.update(members)
        return found
