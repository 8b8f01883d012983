# SPDX-License-Identifier: Apache-2.0
"""The job queue on SQLite, PostgreSQL and RabbitMQ: the suite, and processes that are killed."""

import os
import select
import subprocess
import time
from pathlib import Path

import pytest

from certificates import Authority
from postgres_server import Cluster
from rabbitmq_server import Broker

BUILD = Path(os.environ["IMAGESYNC_BIN"]).parent / "tests" / "contract"
QUICK = {"fsync": "off"}
CRASHES_MAX = 20


@pytest.fixture(scope="module")
def postgres():
    with Cluster() as cluster:
        yield cluster.start("server", QUICK).url


@pytest.fixture(scope="module")
def broker():
    with Broker() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres", "rabbitmq"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/queue.db"
    if request.param == "postgres":
        return request.getfixturevalue("postgres")
    return request.getfixturevalue("broker").url


def run(program, *arguments, trusted="", shown=""):
    done = subprocess.run([BUILD / program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=False,
                          env={**os.environ, "QUEUE_CA_FILE": str(trusted),
                               "QUEUE_CLIENT_FILE": str(shown)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def client(*arguments):
    return subprocess.Popen([BUILD / "queue_client", *map(str, arguments)],
                            stdout=subprocess.PIPE, text=True)


def kill(process):
    process.kill()
    return process.communicate()[0]


def readline_within(process, seconds):
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return process.stdout.readline() if ready else ""


def identities(text, word):
    """Of whole lines: the last may be cut off."""
    return [line.split()[1] for line in text.splitlines(keepends=True)
            if line.startswith(word + " ") and line.endswith("\n")]


def settle(broker):
    """So that the queues there are by now outlive a kill: one more, and its registration."""
    since = time.time()
    run("queue_client", broker.url, "put", f"settle_{time.monotonic_ns()}", 1)
    broker.wait_for_registry(since)


def take_all(url, kind, wait_ms=2000):
    return identities(run("queue_client", url, "take", kind, wait_ms, 100000), "taken")


@pytest.mark.parametrize("suite", ["queue_contract", "queue_clock_contract", "queue_metrics_contract",
                                   "queue_outbox_contract"])
def test_suite_on_postgres(postgres, suite):
    run(suite, postgres)


def test_suite_on_rabbitmq(broker):
    run("queue_contract", broker.url)


def test_suite_on_rabbitmq_with_tls(broker):
    run("queue_contract", broker.tls_url(), trusted=broker.authority.file,
        shown=broker.authority.issue("client").both())


@pytest.mark.parametrize("wrong,word", [
    ("authority", "trusted-certificates"),
    ("name", "another host name"),
    ("password", "password"),
    ("port", "does not speak TLS"),
])
def test_what_has_to_be_mended_is_told(broker, tmp_path, wrong, word):
    trusted, url = broker.authority.file, broker.tls_url()
    shown = broker.authority.issue("client").both()
    if wrong == "authority":
        trusted = Authority(tmp_path, "stranger").file
    elif wrong == "name":
        url = broker.tls_url(host="localhost")
    elif wrong == "password":
        url = broker.tls_url(password="zebra%2F")
    else:
        url = url.replace(str(broker.tls_port), str(broker.port))
    with subprocess.Popen([BUILD / "queue_client", url, "put", "told", "1"], text=True,
                          stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "QUEUE_CA_FILE": str(trusted),
                               "QUEUE_CLIENT_FILE": str(shown)}) as putter:
        said = putter.stderr.readline() if select.select([putter.stderr], [], [], 60)[0] else ""
        assert kill(putter) == ""
    assert said.startswith("rabbitmq: ") and word in said
    assert "guest" not in said and "zebra" not in said


def test_what_a_killed_worker_had_is_taken_again(url):
    put = identities(run("queue_client", url, "put", "killed", 1), "put")
    with client(url, "hold", "killed", 1000) as worker:
        line = readline_within(worker, 60).split()
        kill(worker)
    assert line[:3] == ["taken", put[0], "1"]
    again = run("queue_client", url, "take", "killed", 10000, 1).split()
    assert again == ["taken", put[0], "2"]


def test_what_was_acknowledged_to_a_killed_putter_is_there(url):
    with client(url, "put", "putter", 0) as putter:
        heard = "".join(readline_within(putter, 60) for _ in range(30))
        heard += kill(putter)
    put = identities(heard, "put")
    assert len(put) >= 30
    taken = take_all(url, "putter")
    assert set(put) <= set(taken)
    # One more may have been on its way.
    assert len(taken) <= len(put) + 1


def test_one_process_takes_what_another_puts(url):
    with client(url, "take", "other", 20000, 1) as taker:
        put = identities(run("queue_client", url, "put", "other", 1), "put")
        start = time.monotonic()
        assert readline_within(taker, 60).split()[1] == put[0]
        assert time.monotonic() - start < 5
        taker.wait(20)


def test_a_job_that_kills_each_worker_is_given_up(url):
    put = identities(run("queue_client", url, "put", "deadly", 1), "put")
    for _ in range(CRASHES_MAX + 2):
        if run("queue_client", url, "dead", "deadly"):
            break
        with client(url, "hold", "deadly", 300) as worker:
            # When it has just died there is nothing to take, and nobody to kill.
            line = ""
            while not line and not run("queue_client", url, "dead", "deadly"):
                line = readline_within(worker, 1)
            kill(worker)
    dead = run("queue_client", url, "dead", "deadly")
    assert identities(dead, "dead") == put
    assert "did not finish" in dead or "died" in dead
    assert take_all(url, "deadly", 300) == []


def test_a_killed_broker_loses_nothing_that_it_confirmed(broker):
    with client(broker.url, "put", "outage", 0) as putter:
        # Enough for all shards to be there.
        heard = "".join(readline_within(putter, 60) for _ in range(300))
        settle(broker)
        broker.kill()
        broker.start()
        # It goes on by itself.
        for _ in range(300):
            heard += readline_within(putter, 60)
        heard += kill(putter)
    put = identities(heard, "put")
    taken = take_all(broker.url, "outage", 5000)
    assert len(put) >= 600
    assert set(put) <= set(taken)
    # At least once: what was under way when it died may be there twice.
    assert len(taken) - len(set(taken)) <= 2


def test_a_killed_broker_takes_leases_with_it(broker):
    put = identities(run("queue_client", broker.url, "put", "leased", 1), "put")
    with client(broker.url, "hold", "leased", 600000) as worker:
        assert readline_within(worker, 60).split()[1] == put[0]
        settle(broker)
        broker.kill()
        broker.start()
        # The connection is made again, and the job comes again: to this process or another.
        kill(worker)
    assert take_all(broker.url, "leased", 10000) == put
