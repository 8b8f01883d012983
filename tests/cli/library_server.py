# SPDX-License-Identifier: Apache-2.0
"""A library as its HTTP API promises it, strict about what it is asked, with faults on demand.

What a device does wrong (a version that is missing, an offset that is none) is kept in `wrong` and
fails the test that looks at it. `fault` is asked before each request: it may answer instead, with
a status, or with "cut" to close the connection, at a point in the body that `cut_after` says.
"""

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "isk_test"


def new_id():
    now = int(time.time() * 1000)
    bits = uuid.uuid4().int
    value = (now << 80) | (0x7 << 76) | (bits & ((1 << 76) - 1))
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


class Library:
    def __init__(self):
        self.lock = threading.RLock()
        self.user = new_id()
        self.objects = {}   # id of a photo -> object JSON, as of its last change
        self.albums = {}    # id of an album -> the same
        self.bytes = {}     # id -> original
        self.log = []       # object JSON in order
        self.horizon = 0
        self.epoch = None   # of the log: then cursors are "SEQ.EPOCH"
        self.uploads = {}   # id -> dict
        self.purged = set()
        self.changed = threading.Condition(self.lock)
        self.requests = []  # (method, path)
        self.wrong = []
        self.sent_bytes = 0
        self.fault = lambda method, path: None
        self.cut_after = None  # of the next download or upload: bytes until the connection is cut
        self.streams = True
        self.albums_page = 500
        self.body_max = None  # of a proxy in between
        self.longest = 0      # body that came
        self.midway = lambda: None  # called when the first bytes of an upload have come

    # What happens in the library.
    def put(self, photo, state, kind="photo"):
        with self.lock:
            objects = self.albums if kind == "album" else self.objects
            before = objects.get(photo)
            made = {"kind": kind, "id": photo, "version": before["version"] + 1 if before else 1,
                    "seq": len(self.log) + 1, "changed": int(time.time() * 1000)}
            if state is None:
                made["removed"] = True
            else:
                made["state"] = state
            objects[photo] = made
            self.log.append(made)
            self.changed.notify_all()
            return made

    def add(self, name, content, photo=None):
        with self.lock:
            photo = photo or new_id()
            self.bytes[photo] = content
            self.put(photo, {"name": name, "type": "image/jpeg", "size": len(content),
                             "blob": new_id(), "status": "ready", "added": 1, "favourite": False,
                             "tags": [], "albums": []})
            return photo

    def change(self, photo, **members):
        with self.lock:
            state = {**self.objects[photo]["state"], **members}
            return self.put(photo, {name: value for name, value in state.items()
                                    if value is not None})

    def add_album(self, name):
        album = new_id()
        self.put(album, {"name": name, "created": 1}, "album")
        return album

    def rename_album(self, album, name):
        self.put(album, {**self.albums[album]["state"], "name": name}, "album")

    def remove_album(self, album):
        self.put(album, None, "album")

    def album_names(self):
        return sorted(made["state"]["name"] for made in self.albums.values() if "state" in made)

    def shelves(self):
        """{name of a living photo: names of its albums, in order}"""
        with self.lock:
            return {state["name"]: [self.albums[album]["state"]["name"]
                                    for album in state["albums"] if "state" in self.albums[album]]
                    for state in self.living().values()}

    def trash(self, photo):
        self.change(photo, trashed=int(time.time() * 1000))

    def purge(self, photo):
        with self.lock:
            self.purged.add(hashlib.sha256(self.bytes.pop(photo)).hexdigest())
            self.put(photo, None)

    def forget_log(self):
        """Cursors from before are too old."""
        with self.lock:
            self.horizon = len(self.log)

    def living(self):
        with self.lock:
            return {photo: made["state"] for photo, made in self.objects.items()
                    if "state" in made and "trashed" not in made["state"]}

    def contents(self):
        """Of all living photos, sorted."""
        return sorted(self.bytes[photo] for photo in self.living())

    def names(self):
        return sorted(state["name"] for state in self.living().values())

    def find(self, sha256):
        """(status, photo) of a content."""
        for photo, content in self.bytes.items():
            if hashlib.sha256(content).hexdigest() == sha256:
                state = self.objects[photo].get("state", {})
                return ("deleted" if "trashed" in state else "known"), photo
        return ("deleted" if sha256 in self.purged else "unknown"), None

    def count(self, method, pattern):
        return sum(1 for made, path in self.requests
                   if made == method and re.fullmatch(pattern, path))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    library: Library

    def log_message(self, *args):
        pass

    def answer(self, status, body=None, headers=(), problem=None):
        if problem:
            body = {"status": status, "code": problem, "title": problem, "detail": problem}
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        return True

    def cut(self):
        self.close_connection = True
        self.connection.shutdown(2)

    def strictly(self, holds, what):
        if not holds:
            self.library.wrong.append(f"{self.command} {self.path}: {what}")

    def run(self):
        library = self.library
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with library.lock:
            library.requests.append((self.command, url.path))
            fault = library.fault(self.command, url.path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "cut":
            return self.cut()
        if fault == "full":
            return self.answer(413, problem="quota_exceeded")
        if library.body_max is not None and length > library.body_max:
            self.close_connection = True
            self.send_response(413)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "3")
            self.end_headers()
            return self.wfile.write(b"413")
        library.longest = max(library.longest, length)
        if fault:
            self.close_connection = self.close_connection or length > 0
            headers = [("Retry-After", "0")] if fault in (429, 503) else []
            return self.answer(fault, headers=headers, problem=f"fault_{fault}")
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.answer(401, problem="signed_out")
        for method, pattern, handle in self.ROUTES:
            found = re.fullmatch(pattern, url.path)
            if found and method == self.command:
                return handle(self, *found.groups())
        self.strictly(False, "there is no such route")
        return self.answer(404, problem="not_found")

    do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = do_PUT = run

    def json_body(self):
        self.strictly(self.headers.get("Content-Type") == "application/json", "is no JSON")
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def get_library(self):
        return self.answer(200, {"user": self.library.user, "seq": len(self.library.log),
                                 "horizon": self.library.horizon})

    def check(self):
        files = self.json_body()["files"]
        self.strictly(1 <= len(files) <= 500, "too many files")
        answers = []
        for file in files:
            self.strictly(re.fullmatch("[0-9a-f]{64}", file["sha256"]), "no sha256")
            with self.library.lock:
                status, photo = self.library.find(file["sha256"])
            answers.append({"sha256": file["sha256"], "status": status,
                            **({"photo": photo} if photo else {})})
        return self.answer(200, {"files": answers})

    # tus
    def create(self):
        self.strictly(self.headers.get("Tus-Resumable") == "1.0.0", "is no tus")
        metadata = {}
        for pair in self.headers["Upload-Metadata"].split(","):
            name, value = pair.split(" ")
            metadata[name] = base64.b64decode(value, validate=True)
        name = metadata["filename"].decode()
        self.strictly(name and "/" not in name and not re.search(r"[\x00-\x1f]", name), "a bad name")
        self.strictly(metadata.get("deleted") == b"skip", "brings back what was deleted")
        upload = new_id()
        with self.library.lock:
            self.library.uploads[upload] = {"length": int(self.headers["Upload-Length"]),
                                            "data": bytearray(), "name": name, "photo": None,
                                            "pair": metadata.get("pair")}
        return self.answer(201, headers=[("Tus-Resumable", "1.0.0"), ("Content-Length", "0"),
                                         ("Location", f"/v1/uploads/{upload}")])

    def state_of(self, upload):
        headers = [("Tus-Resumable", "1.0.0"), ("Upload-Offset", str(len(upload["data"]))),
                   ("Upload-Length", str(upload["length"]))]
        if upload["photo"]:
            headers += [("Photo-Id", upload["photo"]), ("Photo-Status", upload["status"])]
        return headers

    def look(self, upload):
        found = self.library.uploads.get(upload)
        if not found:
            return self.answer(404, problem="not_found")
        return self.answer(200, headers=self.state_of(found))

    def terminate(self, upload):
        self.library.uploads.pop(upload, None)
        return self.answer(204)

    def append(self, upload):
        found = self.library.uploads.get(upload)
        length = int(self.headers["Content-Length"])
        self.strictly(self.headers["Content-Type"] == "application/offset+octet-stream", "a type")
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        if not found:
            self.close_connection = True
            return self.answer(404, problem="not_found")
        if int(self.headers["Upload-Offset"]) != len(found["data"]):
            self.close_connection = True
            return self.answer(409, problem="wrong_offset")
        cut, self.library.cut_after = self.library.cut_after, None
        while length > 0:
            piece = self.rfile.read1(min(length, 65536 if cut is None else min(cut, 65536)))
            if not piece:
                return self.cut()
            if not found["data"]:
                self.library.midway()
            found["data"] += piece
            length -= len(piece)
            self.library.sent_bytes += len(piece)
            if cut is not None:
                cut -= len(piece)
                if cut <= 0:
                    return self.cut()
        if len(found["data"]) == found["length"]:
            refused = self.finish(found)
            if refused:
                return self.answer(415, problem=refused)
        return self.answer(204, headers=self.state_of(found))

    def finish(self, upload):
        library = self.library
        with library.lock:
            if upload["data"].startswith(b"not a picture"):
                return "unsupported_type"
            status, photo = library.find(hashlib.sha256(upload["data"]).hexdigest())
            if status == "known":
                upload.update(photo=photo, status="known")
            elif status == "deleted":
                upload.update(photo=photo or new_id(), status="skipped")
            else:
                upload.update(photo=library.add(upload["name"], bytes(upload["data"])), status="added")
        return None

    # Photos
    def photo(self, photo):
        made = self.library.objects.get(photo)
        return self.answer(200, made) if made else self.answer(404, problem="not_found")

    def patch(self, photo):
        body = self.json_body()
        version = re.fullmatch('"([0-9]+)"', self.headers.get("If-Match", ""))
        self.strictly(version, "without If-Match")
        self.strictly(set(body) in ({"name"}, {"albums"}), "patches more than it should")
        self.strictly(set(body.get("albums", [])) <= set(self.library.albums), "an unknown album")
        with self.library.lock:
            made = self.library.objects[photo]
            if not version or int(version[1]) != made["version"]:
                return self.answer(409, {"status": 409, "code": "stale_version", "title": "stale",
                                         "current": made, "sent": body})
            return self.answer(200, self.library.change(photo, **body))

    # Albums
    def list_albums(self):
        limit, after = int(self.query.get("limit", 200)), self.query.get("after", "")
        self.strictly(1 <= limit <= 500, "a limit")
        limit = min(limit, self.library.albums_page)
        with self.library.lock:
            ids = sorted(album for album, made in self.library.albums.items()
                         if "state" in made and album > after)
            return self.answer(200, {"albums": [self.library.albums[album] for album in ids[:limit]],
                                     "next": ids[limit - 1] if len(ids) > limit else None})

    def make_album(self):
        body = self.json_body()
        if not 1 <= len(body["name"].encode()) <= 400 or not body["name"].strip(" "):
            return self.answer(422, problem="invalid_field")
        return self.answer(201, self.library.albums[self.library.add_album(body["name"])])

    def album(self, album):
        made = self.library.albums.get(album)
        return self.answer(200, made) if made else self.answer(404, problem="not_found")

    def patch_album(self, album):
        body = self.json_body()
        with self.library.lock:
            made = self.library.albums[album]
            if self.headers.get("If-Match") != f'"{made["version"]}"':
                return self.answer(409, {"status": 409, "code": "stale_version", "title": "stale",
                                         "current": made, "sent": body})
            self.library.rename_album(album, body["name"])
            return self.answer(200, self.library.albums[album])

    def delete(self, photo):
        self.library.trash(photo)
        return self.answer(204)

    def original(self, photo):
        content = self.library.bytes.get(photo)
        if content is None:
            return self.answer(404, problem="not_found")
        begin = 0
        asked = re.fullmatch("bytes=([0-9]+)-", self.headers.get("Range", ""))
        if asked:
            begin = int(asked[1])
        if begin >= len(content) > 0:
            return self.answer(416, problem="range")
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        cut, self.library.cut_after = self.library.cut_after, None
        self.wfile.write(content[begin:] if cut is None else content[begin:begin + cut])
        self.wfile.flush()
        return self.cut() if cut is not None else None

    # Changes
    def cursor(self, seq):
        return {"cursor": f"{seq}.{self.library.epoch}"} if self.library.epoch else {}

    def changes(self):
        limit = int(self.query.get("limit", 500))
        since, _, epoch = self.query["since"].partition(".")
        since = int(since)
        self.strictly(1 <= limit <= 1000, "a limit")
        with self.library.lock:
            if epoch and epoch != self.library.epoch:
                return self.answer(410, {"status": 410, "code": "cursor_too_old", "title": "old",
                                         "restored": True})
            if since < self.library.horizon:
                return self.answer(410, problem="cursor_too_old")
            page = self.library.log[since:since + limit]
            end = since + len(page)
            return self.answer(200, {"changes": page, "next": end, **self.cursor(end),
                                     "more": end < len(self.library.log),
                                     "horizon": self.library.horizon})

    def list_objects(self):
        limit, after = int(self.query.get("limit", 500)), self.query.get("after", "")
        with self.library.lock:
            objects = {**self.library.objects, **self.library.albums}
            ids = sorted(id for id, made in objects.items() if "state" in made and id > after)
            page = ids[:limit]
            answer = {"objects": [objects[id] for id in page],
                      "seq": len(self.library.log), **self.cursor(len(self.library.log))}
            if len(ids) > limit:
                answer["next"] = page[-1]
        return self.answer(200, answer)

    def stream(self):
        if not self.library.streams:
            return self.answer(503, problem="busy")
        seen = int(self.query.get("since", len(self.library.log)))
        if seen < self.library.horizon:
            return self.answer(410, problem="cursor_too_old")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def send(text):
            self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            self.wfile.flush()

        send(b": heartbeat\n\n")
        while True:
            with self.library.changed:
                self.library.changed.wait_for(lambda: len(self.library.log) > seen, 1)
                news, seen = self.library.log[seen:], len(self.library.log)
            for made in news or [None]:
                send(f"id: {made['seq']}\nevent: change\ndata: {json.dumps(made)}\n\n".encode()
                     if made else b": heartbeat\n\n")

    def acknowledge(self):
        self.strictly(isinstance(self.json_body()["seq"], int), "no seq")
        return self.answer(204)

    ROUTES = [
        ("GET", "/v1/library", get_library),
        ("POST", "/v1/uploads/check", check),
        ("POST", "/v1/uploads", create),
        ("HEAD", "/v1/uploads/([^/]+)", look),
        ("PATCH", "/v1/uploads/([^/]+)", append),
        ("DELETE", "/v1/uploads/([^/]+)", terminate),
        ("GET", "/v1/photos/([^/]+)", photo),
        ("PATCH", "/v1/photos/([^/]+)", patch),
        ("DELETE", "/v1/photos/([^/]+)", delete),
        ("GET", "/v1/photos/([^/]+)/original", original),
        ("GET", "/v1/albums", list_albums),
        ("POST", "/v1/albums", make_album),
        ("GET", "/v1/albums/([^/]+)", album),
        ("PATCH", "/v1/albums/([^/]+)", patch_album),
        ("GET", "/v1/changes", changes),
        ("GET", "/v1/changes/stream", stream),
        ("GET", "/v1/objects", list_objects),
        ("PUT", "/v1/devices/me/cursor", acknowledge),
    ]


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that went away


def serve(library):
    """The server, running; server.url; server.shutdown() ends it."""
    handler = type("LibraryHandler", (Handler,), {"library": library})
    server = QuietServer(("127.0.0.1", 0), handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
