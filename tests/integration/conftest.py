# SPDX-License-Identifier: Apache-2.0
"""The servers that the tests share. A failing test shows the end of the server's log."""

import pytest

import backends
import sanitizer
import stores
from harness import KEY, Server, Site, encode, photo

KEYS = ",".join([KEY, "poor:0.25", "empty:0", "ten:10", "broke:1.5"])


def pytest_addoption(parser):
    parser.addoption("--backend", choices=backends.NAMES, action="append",
                     help="what the servers run on, instead of what a file's BACKENDS says")


def pytest_generate_tests(metafunc):
    """`backend`: the name of one of a file's BACKENDS, for backends.running()."""
    if "backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("backend") or getattr(
            metafunc.module, "BACKENDS", ["embedded"])
        metafunc.parametrize("backend", names, scope="session")


@pytest.fixture(scope="session", autouse=True)
def shared_stores():
    yield
    stores.running.close()


@pytest.fixture(scope="session", autouse=True)
def nothing_reported_at_the_end():
    """By servers that the tests share."""
    yield
    sanitizer.check()


@pytest.fixture(autouse=True)
def nothing_reported():
    yield
    sanitizer.check()


@pytest.fixture(scope="session")
def server(backend, tmp_path_factory):
    """Most tests talk to this one: no rate limit, and it may fetch from 127.0.0.1."""
    with backends.running(backend, tmp_path_factory.mktemp("server"), KEYS,
                          megapixels_per_minute=0, fetch_allow="127.0.0.1/32",
                          receive_timeout_s=4, fetch_timeout_s=4) as server:
        yield server


@pytest.fixture
def start(tmp_path):
    """Starts further servers with settings of their own; they are stopped after the test."""
    servers = []

    def start_one(keys=KEY, **settings):
        server = Server(tmp_path / f"server-{len(servers)}", keys, **settings)
        servers.append(server)
        return server

    yield start_one
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="session")
def astronaut():
    return encode(photo("astronaut"), quality=92)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    server = item.funcargs.get("server")
    if isinstance(server, Server):
        report.sections.append(("server log", server.log_tail()))
        if not server.alive():
            report.sections.append(("server", "It is not running any more."))
