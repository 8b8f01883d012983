# SPDX-License-Identifier: Apache-2.0
"""Relays of the event log as processes, to be killed; and what a reader makes of what they moved."""

import os
import random
import select
import subprocess
from pathlib import Path

BINARY = Path(os.environ.get("IMAGESYNC_BIN", Path(__file__).parents[2] / "build" / "imagesync"))
CLIENT = BINARY.parent / "tests" / "contract" / "event_client"
LEASE_MS = 300


def client(*arguments):
    return subprocess.Popen([CLIENT, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def relay(url, sink):
    return client(url, "relay", sink, LEASE_MS)


def kill(process):
    process.kill()
    process.communicate()


def left(url):
    """How many users have events that are not relayed."""
    done = subprocess.run([CLIENT, url, "left"], capture_output=True, text=True, timeout=60,
                          check=True)
    return int(done.stdout)


def heads(output):
    """How far each user's log goes, by what `append` says."""
    return {line.split()[1]: int(line.split()[2]) for line in output.splitlines()
            if line.startswith("user ")}


def append(url, users, n):
    done = subprocess.run([CLIENT, url, "append", str(users), str(n)], check=True, timeout=120,
                          capture_output=True, text=True)
    return heads(done.stdout)


def kill_again_and_again(url, sink, events, kills_max):
    """Two relays at a time; the one that moves is killed while it does. Ends when all events are
    appended, and relayed or enough killed: with the heads, and both relays running."""
    appending = client(url, "append", 20, events)
    moving = [relay(url, sink) for _ in range(2)]
    chance = random.Random(os.environ.get("SEED"))
    kills = 0
    while appending.poll() is None or (left(url) > 0 and kills < kills_max):
        ready, _, _ = select.select([process.stdout for process in moving], [], [], 1)
        # A few more times, as long as it goes on by itself.
        for _ in range(chance.randrange(4)):
            again, _, _ = select.select(ready, [], [], 0.05)
            for stream in again:
                os.read(stream.fileno(), 1 << 16)
        for place, process in enumerate(moving):
            if process.stdout in ready:
                kill(process)
                kills += 1
                moving[place] = relay(url, sink)
    print(f"{kills} killed")
    assert kills >= 2
    return heads(appending.communicate()[0]), moving


def read_as_told(values):
    """What a reader keeps who passes over what is not greater: how far it got, by user. Fails when
    there is a gap."""
    reached, n, repeated = {}, 0, 0
    for value in values:
        n += 1
        if value["seq"] <= reached.get(value["user"], 0):
            repeated += 1
            continue
        assert value["seq"] == reached.get(value["user"], 0) + 1, (value, reached)
        reached[value["user"]] = value["seq"]
    print(f"{n} events, {repeated} of them repeated")
    return reached
