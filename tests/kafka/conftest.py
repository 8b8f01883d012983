# SPDX-License-Identifier: Apache-2.0
"""One broker for all tests of the folder."""

import os

import pytest

from kafka_server import Kafka


@pytest.fixture(scope="session")
def kafka():
    with Kafka() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def built():
    assert os.environ["IMAGESYNC_BIN"]
