# SPDX-License-Identifier: Apache-2.0
"""The same photo, recipe and model give the same bytes, whatever the server did before."""

from harness import encode, photo


def full(server, image):
    reply = server.removebg(image, size="full", format="png")
    assert reply.status_code == 200, reply.text
    return reply.content


def test_what_came_before_changes_nothing(start):
    image = encode(photo("astronaut").resize((900, 900)), quality=92)
    fresh = full(start(), image)
    server = start()
    # A preview shows the model the photo in fewer pixels: its matte must not be taken for this one.
    assert server.removebg(image, size="preview").status_code == 200
    assert full(server, image) == fresh
    assert full(server, image) == fresh  # now the matte is kept


def test_number_of_threads_changes_nothing(start, astronaut):
    one = start(worker_threads=1, inference_threads=1, workers=1)
    two = start(worker_threads=2, inference_threads=2, workers=2)
    assert full(one, astronaut) == full(two, astronaut)
