# SPDX-License-Identifier: Apache-2.0
"""A device as docs/guides/sync.md has it: a copy of the library, a cursor, and an outbox of changes
that are sent until they are answered."""

import json
import threading
import uuid

import requests

from ledger import whole
from link import Broken, NoAnswer, Reply
from share import Share


def uuid7(chance, ms):
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62
                         | chance.getrandbits(62)))


class Mutation:
    """A change that is on its way. `told` says what its answer promises."""

    def __init__(self, kind, method, path, body, headers, target=None, then=None):
        self.kind, self.method, self.path, self.body = kind, method, path, body
        self.headers, self.target, self.then = headers, target, then

    def __repr__(self):
        return f"{self.kind} {self.method} {self.path} {self.body} {self.headers}"


class Device:
    def __init__(self, name, link, ledger, trace):
        self.name, self.link, self.ledger, self.trace = name, link, ledger, trace
        self.objects, self.cursor = {}, 0
        self.outbox, self.answered, self.sending = [], [], []
        self.outdated = 0  # times that it had to read everything anew

    def of_kind(self, kind, trashed=None):
        found = [each for (which, _), each in sorted(self.objects.items()) if which == kind]
        if trashed is None:
            return found
        return [each for each in found if ("trashed" in each["state"]) == trashed]

    # Reading.

    def take(self, thing):
        if thing.get("unreadable"):
            raise Broken(f"{thing} does not open")
        self.ledger.observed(thing)
        if thing["seq"] <= self.cursor:
            return  # the answer to what was repeated: it may have been removed since
        key = thing["kind"], thing["id"]
        mine = self.objects.get(key)
        if thing.get("removed"):
            self.objects.pop(key, None)
        elif mine is None or mine["version"] < thing["version"]:
            self.objects[key] = thing

    def follow(self, limit=1000):
        """Until there is nothing more."""
        while True:
            reply = self.link.call("GET", f"/v1/changes?since={self.cursor}&limit={limit}")
            if reply.status == 410:
                self.begin_anew(reply, limit)
                continue
            if reply.status != 200:
                raise Broken(f"changes since {self.cursor}: {reply}")
            page, last = reply.json(), self.cursor
            for thing in page["changes"]:
                if not last < thing["seq"] <= page["next"]:
                    raise Broken(f"changes since {self.cursor} out of order: {page}")
                last = thing["seq"]
                self.take(thing)
            self.cursor = page["next"]
            if not page["more"]:
                return

    def begin_anew(self, reply, limit):
        """It was away for too long."""
        horizon = reply.json().get("horizon", 0)
        if reply.code() != "cursor_too_old" or horizon <= self.cursor:
            raise Broken(f"changes since {self.cursor}: {reply}")
        self.resync(limit)
        if self.cursor < horizon:
            raise Broken(f"all objects are those of {self.cursor}, and changes begin at {horizon}")
        self.outdated += 1

    def resync(self, limit=1000):
        self.objects, self.cursor = self.read_all(limit)

    def read_all(self, limit=1000):
        found, after, seq = {}, "", None
        while after is not None:
            reply = self.link.call("GET", f"/v1/objects?limit={limit}"
                                   + (f"&after={after}" if after else ""))
            if reply.status != 200:
                raise Broken(f"objects: {reply}")
            page = reply.json()
            seq = page["seq"] if seq is None else seq
            for thing in page["objects"]:
                self.ledger.observed(thing)
                found[thing["kind"], thing["id"]] = thing
            after = page["next"]
        return found, seq

    def visit(self, share):
        share.visit(self.link, lambda: [thing for (kind, _), thing in sorted(
            self.read_all()[0].items()) if kind == "photo"])

    def listen(self):
        """By the stream, as far as the library went when it began."""
        reply = self.link.call("GET", "/v1/library")
        head = reply.json()["seq"]
        if head <= self.cursor:
            return
        headers = {"Authorization": f"Bearer {self.link.token}", "Last-Event-ID": str(self.cursor)}
        url = self.link.machine.url + "/v1/changes/stream"
        try:
            with requests.get(url, headers=headers, stream=True,
                              timeout=min(10, self.link.machine.patience_s())) as stream:
                if stream.status_code == 410:
                    self.begin_anew(Reply(410, stream.headers, stream.content), 1000)
                    return
                if stream.status_code != 200:
                    raise NoAnswer(stream.status_code)
                seq = None
                for line in stream.iter_lines(chunk_size=1):
                    if line.startswith(b"id: "):
                        seq = int(line[4:].split(b".")[0])
                    elif line.startswith(b"data: "):
                        if seq <= self.cursor:
                            raise Broken(f"the stream went back from {self.cursor} to {seq}")
                        self.take(json.loads(line[6:]))
                        self.cursor = seq
                        if seq >= head:
                            break
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from None

    # Writing.

    def queue(self, kind, method, path, body=None, version=None, **more):
        headers = {"Idempotency-Key": uuid7(self.link.chance, 1_760_000_000_000)}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        self.outbox.append(Mutation(kind, method, path, body, headers, **more))

    def flush(self, most=1000, twice=0.0):
        """Sends some of the outbox, in any order."""
        chance = self.link.chance
        for mutation in chance.sample(self.outbox, min(most, len(self.outbox))):
            reply = self.send(mutation)
            if twice and chance.random() < twice:
                self.again(mutation, reply)
            self.outbox.remove(mutation)
            self.answer(mutation, reply)

    def send(self, mutation):
        return self.link.call(mutation.method, mutation.path, headers=mutation.headers,
                              json=mutation.body)

    def again(self, mutation, first):
        """What was answered once is answered so again, and done once."""
        if first.status >= 400:
            return
        second = self.send(mutation)
        if (second.status, second.content) != (first.status, first.content):
            raise Broken(f"{mutation} was answered {first} and then {second}")

    def at_once(self):
        """A request that is on its way twice at the same time."""
        if not self.outbox:
            return
        mutation, replies = self.link.chance.choice(self.outbox), []

        def send():
            try:
                replies.append(self.send(mutation))
            except NoAnswer:
                pass
        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not replies:
            raise NoAnswer("neither")
        done = [reply for reply in replies if reply.status < 400] or replies
        if any(reply.status < 400 and (reply.status, reply.content) != (
                done[0].status, done[0].content) for reply in replies) or len(done) < len(replies):
            raise Broken(f"{mutation} was answered {replies}")
        self.outbox.remove(mutation)
        self.answer(mutation, done[0])

    def late(self):
        """A copy of a request that comes long after."""
        if self.answered:
            self.again(*self.link.chance.choice(self.answered))

    def answer(self, mutation, reply):
        if reply.status in (200, 201, 204):
            self.answered.append((mutation, reply))
            self.done(mutation, reply)
        elif reply.status == 409 and reply.code() == "stale_version":
            current = reply.json()["current"]
            self.take(current)
            if not current.get("removed") and self.link.chance.random() < 0.6:
                self.queue(mutation.kind, mutation.method, mutation.path, mutation.body,
                           current["version"], target=mutation.target)
        elif reply.status == 404:
            pass  # it is gone meanwhile
        elif mutation.kind == "purge" and reply.status == 409:
            pass  # it is not in the trash any more
        elif mutation.kind in ("new edit", "new share") and reply.status == 400:
            if not self.may_be_in_vain(mutation.body):
                raise Broken(f"{mutation}: {reply}")
        else:
            raise Broken(f"{mutation}: {reply}")

    def may_be_in_vain(self, body):
        """Whether what it is about may be gone, or its time be over."""
        photos = body.get("photos", [body["photo"]] if "photo" in body else [])
        return any(map(self.ledger.may_be_gone, photos)) \
            or ("album", body.get("album")) in self.ledger.removing \
            or body.get("expires", 1e300) <= self.link.machine.now_ms()

    def done(self, mutation, reply):
        ledger, kind, target = self.ledger, mutation.kind, mutation.target
        thing = reply.json() if reply.content else None
        if kind == "new share":
            ledger.shares[thing["id"]] = Share(thing, mutation.body)
            return
        if kind == "revoke share":
            ledger.shares[target].revoked = True
            return
        if thing:
            self.take(thing)
        if kind in ("new album", "new edit"):
            members = {key: value for key, value in mutation.body.items() if key != "id"}
            ledger.created(kind[4:], thing, members)
        elif kind == "remove":
            ledger.removed.add(target)
            self.objects.pop(target, None)
        elif kind == "purge":
            ledger.purged.add(target[1])
        elif kind == "trash":
            self.wrote(mutation, thing, {"trashed": True})
        elif reply.status == 201:  # a recipe that diverged
            if thing["state"].get("diverged_from") != target[1]:
                raise Broken(f"{mutation}: {reply}")
            ledger.diverged[thing["id"]] = target[1]
            ledger.created("edit", thing, dict(mutation.body))
        else:
            self.wrote(mutation, thing, dict(mutation.body))

    def wrote(self, mutation, thing, members):
        match = mutation.headers.get("If-Match")
        if match and thing["version"] - int(match.strip('"')) not in (0, 1):
            raise Broken(f"{mutation} made version {thing['version']}")
        for name, value in members.items():
            have = thing["state"].get(name)
            if name == "trashed":
                have = have is not None
            if whole(have) != whole(value):
                raise Broken(f"{mutation} was answered {thing}")
        self.ledger.wrote(thing["kind"], thing["id"], thing["version"], members)
