# SPDX-License-Identifier: Apache-2.0
"""Photos of a person's library, sent and looked at as a device does."""

import io

import numpy
import requests
from PIL import Image

from harness import eventually


def picture(seed=1, size=(640, 480), **save):
    """A JPEG that is like no other of another seed."""
    random = numpy.random.default_rng(seed)
    small = random.integers(0, 255, (6, 8, 3), dtype=numpy.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", **save)
    return out.getvalue()


def send(person, content, name="photo.jpg", media_type="image/jpeg"):
    """The id and what became of it."""
    reply = person.http.post(person.server.url + "/v1/photos", timeout=60,
                             files={"file": (name, content, media_type)})
    assert reply.status_code == 201, reply.text
    (photo,) = reply.json()["photos"]
    return photo["id"], photo["status"]


def photo_of(person, photo_id):
    reply = person.call("GET", f"/v1/photos/{photo_id}")
    assert reply.status_code == 200, reply.text
    assert reply.headers["ETag"] == f'"{reply.json()["version"]}"'
    return reply.json()


def settled(person, photo_id):
    """The photo once somebody has looked into its file."""
    assert eventually(lambda: photo_of(person, photo_id)["state"]["status"] != "processing", 60)
    return photo_of(person, photo_id)


def change(person, photo, **members):
    """What PATCH answers."""
    return person.call("PATCH", f"/v1/photos/{photo['id']}", members,
                       headers={"If-Match": f'"{photo["version"]}"'})


def changed(person, photo, **members):
    reply = change(person, photo, **members)
    assert reply.status_code == 200, reply.text
    return reply.json()


def listed(person, **query):
    """The ids of a whole list, page by page."""
    ids, after = [], {}
    while True:
        reply = person.call("GET", "/v1/photos", params={**query, **after})
        assert reply.status_code == 200, reply.text
        ids += [photo["id"] for photo in reply.json()["photos"]]
        if "next" not in reply.json():
            return ids
        after = {"after": reply.json()["next"]}


def download(person, path, **headers):
    return requests.get(person.server.url + path, timeout=60,
                        headers={**person.http.headers, **headers})
