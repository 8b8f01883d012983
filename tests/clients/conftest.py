# SPDX-License-Identifier: Apache-2.0
"""The server of tests/integration, for clients that others wrote."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import pytest

from harness import KEY, Server, Site, encode, photo


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), KEY + ",empty:0",
                    fetch_allow="127.0.0.1/32", welcome_credits=1)
    yield server
    server.stop()


@pytest.fixture
def photo_file(tmp_path):
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(encode(photo("astronaut"), quality=92))
    return path


@pytest.fixture(scope="session")
def photo_url():
    site = Site()
    site.pages["/astronaut.jpg"] = encode(photo("astronaut"), quality=92)
    yield site.url + "/astronaut.jpg"
    site.close()
