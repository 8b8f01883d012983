# SPDX-License-Identifier: Apache-2.0
"""Workers and the inference process are killed under load: every call gets an answer, nothing leaks."""

import os
import random
import signal
import threading
import time
from pathlib import Path

from harness import decode, descendants, encode, error, eventually, photo

SECONDS = 10


def role(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2].decode()
    except (OSError, IndexError):
        return ""


def of_role(server, name):
    return [pid for pid in descendants(server.process.pid) if role(pid) == name]


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself, or by the kill before


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


class Load:
    """Clients that ask again and again until the block ends; keeps pictures, or error's answer."""

    def __init__(self, server, images, clients):
        self.server, self.images, self.replies = server, images, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def run(self, number):
        while not self.stopping.is_set():
            image = self.images[number % len(self.images)]
            reply = self.server.removebg(image, format="png")
            self.replies.append(reply.content if reply.status_code == 200 else error(reply))
            reply.close()
            number += 1

    def __exit__(self, *exception):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_kill_9_under_load(start):
    # The same photos again and again, so that most of the time goes by in the workers.
    images = [encode(photo(name), quality=90) for name in ("astronaut", "coffee", "chelsea")]
    server = start(megapixels_per_minute=0, workers=2)
    wanted = [server.removebg(image, format="png").content for image in images]
    (http,) = of_role(server, "http")
    before = open_files(http)
    dice, end = random.Random(7), time.monotonic() + SECONDS
    with Load(server, images, clients=4) as load:
        while time.monotonic() < end:
            workers = of_role(server, "worker")
            kill(dice.sample(workers, min(1, len(workers))))
            if dice.random() < 0.1:
                kill(of_role(server, "inference"))
            time.sleep(dice.uniform(0.2, 0.6))

    assert sum(reply in wanted for reply in load.replies) > 10
    assert set(load.replies) <= {*wanted, (400, "failed_to_read_image"), (500, "internal_error")}
    assert server.metric("imagesync_worker_restarts") > 10
    assert server.metric("imagesync_inference_restarts") > 0
    assert eventually(lambda: [server.removebg(image, format="png").content
                               for image in images] == wanted)
    assert server.metric("imagesync_render_memory_bytes") == 0
    assert server.metric("imagesync_render_running") == 0
    assert eventually(lambda: open_files(http) <= before + 2)
    assert not [pid for pid in descendants(server.process.pid) if state(pid) == "Z"]


def test_kill_9_of_the_inference_process_alone(start, astronaut):
    server = start(megapixels_per_minute=0, workers=2, matte_cache_mib=0)
    wanted = server.removebg(astronaut, format="png").content
    with Load(server, [astronaut], clients=2) as load:
        for _ in range(3):
            # In the middle of a matte, or while the model is loaded.
            assert eventually(lambda: of_role(server, "inference"))
            time.sleep(0.3)
            kill(of_role(server, "inference"))
    assert set(load.replies) <= {wanted, (500, "internal_error")}
    assert server.metric("imagesync_worker_restarts") == 0
    assert server.removebg(astronaut, format="png").content == wanted
