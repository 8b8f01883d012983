# SPDX-License-Identifier: Apache-2.0
"""A link to photos, as its owner knows it and as a stranger finds it."""

from link import Broken, NoAnswer

STRANGER = {"Authorization": None}


class Ended(NoAnswer):
    """It was taken back or has expired while it was looked at."""


class Share:
    def __init__(self, thing, body):
        self.id, self.path, self.body = thing["id"], thing["path"], body
        self.revoking = self.revoked = False

    def __repr__(self):
        return f"the link {self.id} of {self.body}"

    def open_at(self, ms):
        return ms < self.body.get("expires", ms + 1)

    def shows(self, photo):
        state = photo["state"]
        return "trashed" not in state and (
            not {photo["id"], state.get("pair")}.isdisjoint(self.body.get("photos", ())) or
            self.body.get("album") in state["albums"])

    def shown(self, photos):
        return {photo["id"] for photo in photos if self.shows(photo)}

    def visit(self, link, read_photos):
        """A stranger sees what its owner, asked before and after, has there, and nothing else."""
        began_ms, before = link.machine.now_ms(), self.shown(read_photos())
        reply = link.call("GET", self.path, headers=STRANGER)
        if reply.status == 404 and reply.code() == "not_found":
            if not self.revoking and self.open_at(link.machine.now_ms()):
                raise Broken(f"{self} is lost")
            return
        if reply.status != 200:
            raise Broken(f"{self}: {reply}")
        if self.revoked or not self.open_at(began_ms):
            raise Broken(f"{self} is still open")
        found = {photo["id"] for photo in reply.json()["photos"]}
        photos = read_photos()
        if before == self.shown(photos) != found:
            raise Broken(f"{self} shows {found}, and not {before}")
        for photo in link.chance.sample(photos, min(len(photos), 2)) if link.faulty else photos:
            self._look(link, photo, before == found and photo["id"] in found)

    def _look(self, link, photo, shown):
        photo_id = photo["id"]
        reply = link.call("GET", f"{self.path}/photos/{photo_id}/original", headers=STRANGER)
        if not self.body["allow_download"]:
            right = [(403, "download_not_allowed")]
        else:
            right = [(200, None) if shown else (404, "not_found")]
            # Without its metadata it is given once somebody knows where that lies.
            if shown and not self.body["keep_metadata"] and photo["state"]["status"] != "ready":
                right.append((404, "not_found"))
                if photo["state"]["status"] == "unreadable":
                    right.pop(0)
        if (reply.status, None if reply.status == 200 else reply.code()) not in right:
            if self.revoking or not self.open_at(link.machine.now_ms()):
                raise Ended(f"{self} has ended meanwhile")
            raise Broken(f"{self}, {photo_id}: {reply}")
