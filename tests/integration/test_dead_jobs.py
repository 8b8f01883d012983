# SPDX-License-Identifier: Apache-2.0
"""Jobs that failed for good: an operator sees them, has them done again, or gives them up."""

import json
import subprocess
import time
import uuid

import pytest

import bombs
from backends import running
from harness import BINARY, eventually
from library import photo_of, send, settled
from people import Person
from test_accounts import CHEAP
from test_changes import uuid7
from test_crashes import kill, of_role

BACKENDS = ["embedded", "servers", "stores"]
WORKING = "imagesync_render_running"


@pytest.fixture(scope="module")
def server(backend, tmp_path_factory):
    """With one worker, so that it is known who has which photo."""
    with running(backend, tmp_path_factory.mktemp("dead"), services="user,sync,worker", workers=1,
                 ingest_threads=1, **CHEAP) as server:
        yield server


def jobs(server, *words):
    return subprocess.run([BINARY, "jobs", *map(str, words), "--data", server.data],
                          env=server.environment, capture_output=True, text=True, timeout=60)


def dead(server):
    done = jobs(server, "dead", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def kill_twice(server):
    """Whoever reads the file; then it is given up."""
    for _ in range(2):
        assert eventually(lambda: server.metric(WORKING) == 1)
        kill(of_role(server, "worker"))
        assert eventually(lambda: server.metric(WORKING) == 0)


def poison(server, ada, seed):
    """A photo that kills its worker each time, and its job."""
    before = {job["id"] for job in dead(server)}
    # It takes so long that it is met at work.
    photo_id, _ = send(ada, bombs.png(9000, 10001 + seed), "bad.png", "image/png")
    kill_twice(server)
    assert settled(ada, photo_id)["state"]["status"] == "unreadable"
    assert eventually(lambda: {job["id"] for job in dead(server)} - before)
    (job,) = [job for job in dead(server) if job["id"] not in before]
    return photo_id, job


def test_an_operator_sees_what_failed_and_has_it_done_again(server):
    assert dead(server) == [] and jobs(server, "dead").stdout == ""
    ada = Person(server)
    photo_id, job = poison(server, ada, 0)
    assert job["user"] == ada.id and job["attempts"] >= 1
    assert job["reason"] == "The picture cannot be read." and job["kind"].isidentifier()
    died = time.mktime(time.strptime(job["died"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(died - time.time()) < 120
    (line,) = jobs(server, "dead").stdout.splitlines()
    assert line.startswith(job["id"]) and ada.id in line and line.endswith(job["reason"])
    gauge = 'imagesync_queue_jobs{state="dead"}'
    assert eventually(lambda: server.metric(gauge) == 1, 40)

    done = jobs(server, "requeue", job["id"])
    assert (done.returncode, done.stdout) == (0, f"{job['id']} is put back.\n"), done.stderr
    kill_twice(server)  # as before
    assert eventually(lambda: [each["id"] for each in dead(server)] == [job["id"]])
    assert photo_of(ada, photo_id)["state"]["status"] == "unreadable"

    done = jobs(server, "requeue", "--all")
    assert (done.returncode, done.stdout) == (0, "1 job put back.\n"), done.stderr
    assert eventually(lambda: photo_of(ada, photo_id)["state"]["status"] == "ready", 120)
    assert "reason" not in photo_of(ada, photo_id)["state"] and dead(server) == []
    assert jobs(server, "requeue", "--all").stdout == "0 jobs put back.\n"


def test_an_operator_gives_it_up(server):
    ada = Person(server)
    photo_id, job = poison(server, ada, 1)
    other = uuid7()
    done = jobs(server, "drop", other, job["id"])
    assert done.returncode == 1 and done.stdout == f"{job['id']} is dropped.\n"
    assert other in done.stderr and dead(server) == []
    for verb in ("drop", "requeue"):
        assert jobs(server, verb, job["id"]).returncode == 1
    assert photo_of(ada, photo_id)["state"]["status"] == "unreadable"


def test_what_makes_no_sense_is_refused(server):
    for words in (["drop"], ["drop", "x"], ["requeue"], ["requeue", "x"],
                  ["requeue", "--all", str(uuid.uuid4())], ["dead", "x"]):
        assert jobs(server, *words).returncode == 2, words
