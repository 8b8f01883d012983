# SPDX-License-Identifier: Apache-2.0
"""A file on its way from a device to the server, by a form or by tus, until its end is answered."""

import base64
import hashlib

from link import Broken, NoAnswer

OCTETS = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}


class Sending:
    def __init__(self, device, content, number, way, deleted="restore", pair=None):
        self.device, self.content, self.number = device, content, number
        self.way, self.deleted, self.pair = way, deleted, pair
        if pair:
            device.ledger.paired.add(content)
        self.where, self.at, self.unsure = None, 0, False
        self.over = False

    def __repr__(self):
        return f"file {self.number} by {self.way}, {self.deleted}, {self.at} of {len(self.content)}"

    def advance(self):
        if self.deleted != "skip":
            self.device.ledger.sent.append(self.content)
        if self.way == "form":
            self._form()
        elif not self.where:
            self._create()
        else:
            self._patch()

    def finished(self, photo_id, status):
        if status not in ("added", "known", "restored", "skipped"):
            raise Broken(f"{self} became {status}")
        self.over = True
        if status != "skipped":
            self.device.ledger.photo(photo_id, self.content)
        elif self.deleted != "skip":
            raise Broken(f"{self} was skipped")

    def _form(self):
        boundary = f"part-{self.device.link.chance.getrandbits(64):x}"
        body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
                f"filename=\"photo {self.number}.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n").encode() \
            + self.content + f"\r\n--{boundary}--\r\n".encode()
        reply = self.device.link.call("POST", "/v1/photos", body, {
            "Content-Type": f"multipart/form-data; boundary={boundary}"})
        if reply.status != 201:
            raise Broken(f"{self}: {reply}")
        (photo,) = reply.json()["photos"]
        self.finished(photo.get("id"), photo["status"])

    def _create(self):
        chance = self.device.link.chance
        if chance.random() < 0.3:
            self._check()
        name = base64.b64encode(f"photo {self.number}.jpg".encode()).decode()
        deleted = base64.b64encode(self.deleted.encode()).decode()
        headers = {**TUS, "Upload-Length": str(len(self.content)),
                   "Upload-Metadata": f"filename {name},deleted {deleted}"}
        if self.pair:
            headers["Upload-Metadata"] += f",pair {base64.b64encode(self.pair.encode()).decode()}"
        body = None
        if chance.random() < 0.4:
            body = self.content[:chance.randrange(1, len(self.content) + 1)]
            headers["Content-Type"] = OCTETS
        reply = self.device.link.call("POST", "/v1/uploads", body, headers)
        if reply.status != 201:
            raise Broken(f"{self}: {reply}")
        self.where = reply.headers["Location"]
        self._noted(reply)

    def _check(self):
        reply = self.device.link.call("POST", "/v1/uploads/check", json={"files": [
            {"sha256": hashlib.sha256(self.content).hexdigest(), "size": len(self.content)}]})
        (found,) = reply.json()["files"]
        ledger = self.device.ledger
        mine = {photo for photo, content in ledger.photos.items() if content == self.content}
        living = {photo for photo in mine if not ledger.may_be_gone(photo)}
        if living and (found["status"] == "unknown" or found.get("photo") not in living | {None}):
            raise Broken(f"{living} is acknowledged, and the check says {found}")

    def _noted(self, reply):
        self.at, self.unsure = int(reply.headers["Upload-Offset"]), False
        if "Photo-Status" in reply.headers:
            self.finished(reply.headers.get("Photo-Id"), reply.headers["Photo-Status"])

    def _patch(self):
        chance = self.device.link.chance
        if self.unsure or chance.random() < 0.1:
            before = self.at
            reply = self.device.link.call("HEAD", self.where, headers=TUS)
            if reply.status in (404, 410):
                self.where, self.at = None, 0
                return
            if reply.status == 423:
                raise NoAnswer("busy")
            if reply.status != 200:
                raise Broken(f"{self}: {reply}")
            if int(reply.headers["Upload-Offset"]) < before:
                raise Broken(f"{self} went back to {reply.headers['Upload-Offset']}")
            self._noted(reply)
            if self.over:
                return
        left = len(self.content) - self.at
        piece = self.content[self.at:self.at + chance.randrange(left + 1)]
        if chance.random() < 0.5:
            piece = self.content[self.at:]
        headers = {**TUS, "Upload-Offset": str(self.at), "Content-Type": OCTETS}
        if chance.random() < 0.3:
            headers["Upload-Checksum"] = "sha256 " + base64.b64encode(
                hashlib.sha256(piece).digest()).decode()
        self.unsure = True
        reply = self.device.link.call("PATCH", self.where, piece, headers)
        if reply.status in (409, 423):
            return
        if reply.status in (404, 410):
            self.where, self.at, self.unsure = None, 0, False
            return
        if reply.status != 204:
            raise Broken(f"{self}: {reply}")
        self._noted(reply)
